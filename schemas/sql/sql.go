// Package sql writes a feature catalogue as SQL, so that a warehouse answers from raw events what live
// state and batch views answer, by the same definitions (docs/sql.md).
//
// # Queries
//
//   - [Features]: every feature of an entity at an instant, one row a member, one column a feature,
//     derived features included.
//   - [Tiles]: what the batch layer keeps, one row a (_member, _tile, _key), one column a series.
//   - [Events]: the events that count, with their typed fields. The others contain it; run first and
//     kept as a table, it saves them the sorting (Source.Distinct).
//
// Equal catalogues give equal texts, down to the byte.
//
// # Input
//
// Source.Table has the columns of a raw archive (event.RawColumns) that the catalogue needs, and
// `epoch` INT64 and `seq` INT64, which order a user's records as the log does (tile.Seq, tile.ImportSeq).
// Context and properties hold JSON objects as text.
//
// # Parameters
//
// Named ones, INT64: as_of, the instant to read, Unix ms; cut_epoch, only records of epochs below it
// count, and NULL means all. Events takes cut_epoch only; with Source.Distinct nothing else does.
//
// # Answers
//
// What SQL can state exactly equals the answers of schemas/tile: counts, sums and means of integers
// and decimals, extremes, first, last, last_n, ratios, histograms. Floats are added in an order of the
// engine's choosing and agree within n·2^-51·Σ|x|. distinct is counted, not estimated: the sketch's
// answer lies within its error of it. top_k is exact where the tiles' answer may be capped.
// Times are INT64 Unix ms, decimals NUMERIC, histograms arrays of counts, top_k and grouped features
// arrays of structs, and last_n an array, latest first; empty arrays may be NULL. Members without any
// event have no row.
package sql

import (
	"fmt"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
)

// Source says what the queries read.
type Source struct {
	// Table stands after FROM: a table's name in the dialect's quotes, or any table expression.
	Table string
	// Timestamps says that event_time and log_time are timestamps; else they are INT64 Unix ms.
	Timestamps bool
	// Distinct says that Table is what Events answered.
	Distinct bool
	// History restricts Features to what had been logged and had happened at as_of (DESIGN §3, "as of
	// T"). Without it, events later than as_of in the tile that contains it count, as when serving.
	History bool
}

// cte is a named part of a query.
type cte struct {
	comment string // lines of text
	name    string
	body    string // without the final newline
}

// query is a statement in the making.
type query struct {
	comment string
	ctes    []cte
	body    string
}

func (q *query) with(name, comment, body string) {
	q.ctes = append(q.ctes, cte{comment, name, body})
}

// String returns the text, which ends in a newline.
func (q *query) String() string {
	var b strings.Builder
	comment(&b, q.comment)
	for i, c := range q.ctes {
		if i == 0 {
			b.WriteString("WITH\n")
		}
		comment(&b, c.comment)
		fmt.Fprintf(&b, "%s AS (\n%s\n)", c.name, indent(c.body))
		if i < len(q.ctes)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString(q.body)
	b.WriteByte('\n')
	return b.String()
}

func comment(b *strings.Builder, text string) {
	for line := range strings.Lines(text) {
		b.WriteString("-- " + strings.TrimRight(line, "\n") + "\n")
	}
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// selection is a SELECT list, one expression a line.
type selection struct {
	lines []string
	notes string // of the next expression
}

// note puts a comment before the next expression, without what might end a statement for a simple tool.
func (s *selection) note(text string) {
	if text != "" {
		s.notes = "-- " + strings.ReplaceAll(strings.Join(strings.Fields(text), " "), ";", ",") + "\n  "
	}
}

func (s *selection) add(expression, name string) {
	if expression != name {
		expression += " AS " + name
	}
	s.lines = append(s.lines, s.notes+expression)
	s.notes = ""
}

func (s *selection) String() string {
	if len(s.lines) == 1 && len(s.lines[0]) < 80 && !strings.HasPrefix(s.lines[0], "--") {
		return "SELECT " + s.lines[0]
	}
	return "SELECT\n  " + strings.Join(s.lines, ",\n  ")
}

// memberOf is the expression that names the member of an entity an event belongs to.
func memberOf(d Dialect, e feature.Entity) string {
	if e == feature.Global {
		return d.Text(feature.GlobalID)
	}
	return idColumn(e)
}

// idColumn is the name of the column of an entity's members.
func idColumn(e feature.Entity) string {
	switch e {
	case feature.User:
		return "user_id"
	case feature.Item:
		return "item_id"
	}
	return "id"
}
