//go:build integration

package sqltest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/scripts/oracle"
)

// randomCatalogues are type-checked beside the built-in ones.
const randomCatalogues = 300

// TestIntegrationGoogleSQLTypes gives every text to GoogleSQL's analyzer.
func TestIntegrationGoogleSQLTypes(t *testing.T) {
	c := &checker{t: t, process: start(t, oracle.GoogleSQL, "check")}
	for _, file := range []string{"feature/default.yaml", "feature/media.yaml", "sql/testdata/tour.yaml"} {
		b, err := os.ReadFile("../../../schemas/" + file)
		if err != nil {
			t.Fatal(err)
		}
		catalogue, err := feature.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		c.check(file, catalogue, true)
	}
	for seed := range uint64(randomCatalogues) {
		c.check(fmt.Sprintf("seed %d", seed), gen.New(seed).Catalogue(12), seed%10 == 0)
	}
	t.Logf("%d statements checked", c.statements)
}

// checker checks statements.
type checker struct {
	*process
	t          *testing.T
	statements int
}

// check checks the features of a catalogue; with everything, other sources and the tiles, too.
func (c *checker) check(name string, catalogue feature.Catalogue, everything bool) {
	c.t.Helper()
	sources := []sql.Source{{Table: "events"}}
	if everything {
		sources = append(sources, sql.Source{Table: "`shop-1.raw.events`", Timestamps: true, History: true})
	}
	for _, s := range sources {
		for _, e := range entities {
			if list := catalogue.Of(e); len(list) > 0 {
				text, err := sql.Features(sql.GoogleSQL(), catalogue, e, s)
				c.types(name, catalogue, list, c.ask(name, text, err))
			}
		}
	}
	if !everything {
		return
	}
	text, err := sql.Events(sql.GoogleSQL(), catalogue, sources[0])
	events := c.ask(name, text, err)
	for _, e := range entities {
		tables, err := sql.Tiles(sql.GoogleSQL(), catalogue, e, sql.Source{Table: "distinct_events", Distinct: true})
		for _, table := range tables {
			c.ask(name, table.SQL, err, map[string]any{"name": "distinct_events", "columns": events.Columns})
		}
	}
}

// ask checks one statement.
func (c *checker) ask(name, text string, err error, tables ...any) answer {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	stamped := make([]column, len(columns))
	for i, x := range columns {
		if strings.HasSuffix(x.Name, "_time") {
			x.Type = "TIMESTAMP"
		}
		stamped[i] = x
	}
	if len(tables) == 0 {
		tables = []any{map[string]any{"name": "events", "columns": columns}, map[string]any{"name": "shop-1.raw.events", "columns": stamped}}
	}
	a := c.do(c.t, map[string]any{"sql": text, "tables": tables, "params": map[string]any{"as_of": "INT64", "cut_epoch": "INT64"}})
	if !a.OK {
		c.t.Fatalf("%s: %s\n%s", name, a.Error, text)
	}
	c.statements++
	return a
}

// types compares the columns with what docs/sql.md says of them.
func (c *checker) types(name string, catalogue feature.Catalogue, list []feature.Definition, a answer) {
	c.t.Helper()
	for i, d := range list {
		got, want := a.Columns[i+1], typeOf(catalogue, d)
		if got.Name != d.Name || got.Type != want {
			c.t.Errorf("%s: %s of %s is %s %s, want %s %s", name, d.Aggregate, d.Of, got.Name, got.Type, d.Name, want)
		}
	}
}

// typeOf is the GoogleSQL type of a feature's column.
func typeOf(c feature.Catalogue, d feature.Definition) string {
	t, _ := c.Type(d.Of)
	field := map[feature.Kind]string{
		feature.Text: "STRING", feature.Integer: "INT64", feature.Decimal: "NUMERIC", feature.Float: "FLOAT64", feature.Boolean: "BOOL", feature.Time: "INT64",
	}[t.Kind]
	one := "FLOAT64"
	switch d.Aggregate {
	case feature.Count, feature.Distinct:
		one = "INT64"
	case feature.Sum:
		if t.Kind != feature.Float {
			one = "NUMERIC"
		}
	case feature.Min, feature.Max, feature.First, feature.Last:
		one = field
	case feature.Histogram:
		one = "ARRAY<INT64>"
	case feature.TopK:
		one = "ARRAY<STRUCT<key STRING, count INT64>>"
	case feature.LastN:
		one = "ARRAY<" + field + ">"
		if d.Of == feature.Interaction {
			one = "ARRAY<STRUCT<item_id STRING, type STRING, value FLOAT64, event_time INT64, seq INT64>>"
		}
	}
	if d.By != "" {
		return "ARRAY<STRUCT<key STRING, value " + one + ">>"
	}
	return one
}
