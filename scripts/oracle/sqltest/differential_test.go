//go:build integration

package sqltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gentest"
	oracles "github.com/anabranch/anabranch/scripts/oracle"
)

const (
	cases       = 30 // of random catalogues
	definitions = 8  // a catalogue
	records     = 250
	tiled       = 15 // of the cases, a third of them with their tiles
)

var entities = []feature.Entity{feature.User, feature.Item, feature.Global}

// TestIntegrationBigQuery compares GoogleSQL on the BigQuery emulator with the oracle.
func TestIntegrationBigQuery(t *testing.T) {
	differential(t, emulator{start(t, oracles.BigQuery, "run")}, sql.GoogleSQL())
}

// TestIntegrationDuckDB compares the same generator's DuckDB SQL with the oracle.
func TestIntegrationDuckDB(t *testing.T) {
	differential(t, duckdb{start(t, oracles.DuckDB, "run")}, sql.DuckDB())
}

func differential(t *testing.T, e engine, d sql.Dialect) {
	first, count := gentest.Seeds(t, cases*definitions, definitions)
	t.Run("duplicates", func(t *testing.T) {
		r := &run{t: t, engine: e, dialect: d, Case: duplicates()}
		r.load("events_duplicates", 0)
		r.compare(feature.User)
	})
	compared, cells := 0, 0
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := &run{t: t, engine: e, dialect: d, Case: gen.NewCase(seed, definitions, records)}
			r.tame()
			r.withDerived()
			r.load(fmt.Sprintf("events_%d", seed), seed)
			for _, entity := range entities {
				r.compare(entity)
			}
			if seed%3 == 0 && seed < first+tiled {
				r.compareTiles()
			}
			compared += len(r.Catalogue.Features)
			cells += r.cells
		})
	}
	t.Logf("%s: %d random definitions compared, and %d cells of tiles", d.Name(), compared, cells)
	if count > 1 && (compared == 0 || cells == 0) {
		t.Error("nothing was compared")
	}
}

// run is a case on an engine.
type run struct {
	t       *testing.T
	engine  engine
	dialect sql.Dialect
	gen.Case
	source sql.Source
	log    []oracle.Record // of the epochs that are read
	cut    any             // nil: all of them
	cells  int             // of tile tables that were compared
}

// load creates the table. By seed, cases read everything, what lies before their cut, or what was known
// at their instant.
func (r *run) load(name string, seed uint64) {
	r.t.Helper()
	r.engine.load(r.t, name, rows(r.t, r.Log))
	r.source, r.log = sql.Source{Table: name}, r.Log
	switch seed % 3 {
	case 1:
		r.cut = r.Cut
		r.log = slices.DeleteFunc(slices.Clone(r.Log), func(x oracle.Record) bool { return x.Epoch >= r.Cut })
	case 2:
		r.source.History = true
		r.log = slices.DeleteFunc(slices.Clone(r.Log), func(x oracle.Record) bool { return x.LogTime > r.At })
	}
}

// distinct returns the events that count.
func (r *run) distinct() []oracle.Record {
	out := oracle.Distinct(r.log)
	if r.source.History {
		out = slices.DeleteFunc(out, func(x oracle.Record) bool { return int64(x.Event.Time) > r.At })
	}
	return out
}

// query runs the features of an entity and returns the rows by member.
func (r *run) query(e feature.Entity) (map[string][]any, string) {
	r.t.Helper()
	text, err := sql.Features(r.dialect, r.Catalogue, e, r.source)
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.engine.query(r.t, text, map[string]any{"as_of": r.At, "cut_epoch": r.cut})
	if !a.OK {
		r.t.Fatalf("%s\n%s", a.Error, text)
	}
	out := map[string][]any{}
	for _, row := range a.Rows {
		out[row[0].(string)] = row[1:]
	}
	if len(out) != len(a.Rows) {
		r.t.Fatalf("%d rows for %d members of %s", len(a.Rows), len(out), e)
	}
	return out, text
}

// compare compares every feature of every member of an entity.
func (r *run) compare(e feature.Entity) {
	r.t.Helper()
	list := r.Catalogue.Of(e)
	if len(list) == 0 {
		return
	}
	got, text := r.query(e)
	distinct := r.distinct()
	members := oracle.Members(e, distinct)
	if len(got) != len(members) {
		r.t.Fatalf("%d members of %s, want %d\n%s", len(got), e, len(members), text)
	}
	for _, id := range members {
		events := oracle.Of(e, id, distinct)
		for i, d := range list {
			v, err := value(r.Catalogue, d, got[id][i])
			if err == nil {
				err = check(r.Catalogue, d, events, r.At, v)
			}
			if err != nil {
				r.t.Errorf("%s %q, %s of %s by %q: %v\nof %v\n%s", e, id, d.Aggregate, d.Of, d.By, err, got[id][i], text)
				return
			}
		}
		r.compareDerived(e, id, got[id], text)
	}
}

// withDerived adds derived features over those of the random catalogue.
func (r *run) withDerived() {
	forms := map[string][]string{
		"int": {"x / 3 - x % 4 * 2", "orElse(x, 7) + 1", "x > 2 ? x : -x", "int(double(x) * 1.5)", "7 / (x - 1)"},
		"double": {
			"x * 2.0 - x / 3.0", "orElse(x, 0.5) / x", "x > 0.0 && x < 10.0 || !(x != 3.0) ? x : -x", "1.0 / (x - 1.0)",
			// The emulator wraps round where BigQuery's SAFE_CAST says NULL.
			"x > -1e15 && x < 1e15 ? int(x) : 0", "x == x",
		},
		"string": {`x == "view"`, `orElse(x, "none")`},
	}
	for i, d := range r.Catalogue.Features {
		kind, ok := r.Catalogue.Answer(d)
		if !ok {
			continue
		}
		list := forms[string(kind)]
		form := list[i%len(list)]
		text := ""
		for _, c := range form {
			if c == 'x' {
				text += d.Name
			} else {
				text += string(c)
			}
		}
		r.Catalogue.Derived = append(r.Catalogue.Derived, feature.Derived{Name: "d" + strconv.Itoa(i), Entity: d.Entity, Expr: text})
	}
}

// compareDerived evaluates the derived features on what the engine answered for their inputs.
func (r *run) compareDerived(e feature.Entity, id string, row []any, text string) {
	r.t.Helper()
	set, err := feature.CompileDerived(r.Catalogue, e)
	if err != nil {
		r.t.Fatal(err)
	}
	list := r.Catalogue.Of(e)
	inputs := map[string]any{}
	for i, d := range list {
		v, err := value(r.Catalogue, d, row[i])
		if err != nil {
			r.t.Fatal(err)
		}
		if kind, ok := r.Catalogue.Answer(d); ok {
			inputs[d.Name] = input(v, string(kind))
		}
	}
	for i, f := range set.Formulas {
		want := f.Eval(func(name string) (any, bool) { v := inputs[name]; return v, v != nil })
		if got := row[len(list)+i]; !same(got, want) {
			r.t.Errorf("%s %q: %s with %v is %v, want %v\n%s", e, id, f.Expr, inputs, got, want, text)
		}
	}
}

// input is a value as an expression reads it; nil is none.
func input(v agg.Value, kind string) any {
	switch kind {
	case "int":
		if n, ok := v.Int64(); ok {
			return n
		}
	case "double":
		if f, ok := v.Float64(); ok {
			return f
		}
	default:
		if s, ok := v.Text(); ok {
			return s
		}
	}
	return nil
}

// same reports whether an engine's answer is what an expression gave.
func same(got, want any) bool {
	n, number := got.(json.Number)
	switch w := want.(type) {
	case int64:
		return number && n.String() == strconv.FormatInt(w, 10)
	case float64:
		f, err := n.Float64()
		return number && err == nil && f == w
	}
	return got == want
}
