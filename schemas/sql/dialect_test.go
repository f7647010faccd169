package sql_test

import (
	"math"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

func TestLiterals(t *testing.T) {
	google, duck := sql.GoogleSQL(), sql.DuckDB()
	for text, want := range map[string][2]string{
		"books":     {`'books'`, `'books'`},
		`it's`:      {`'it\'s'`, `'it''s'`},
		`a\b"c`:     {`'a\\b"c'`, `'a\b"c'`},
		"é日":        {`'é日'`, `'é日'`},
		"a\nb\x01":  {`'a\nb\u0001'`, "'a\nb\x01'"},
		"\u200b":    {`'\u200b'`, "'\u200b'"},
		"\x7f":      {`'\u007f'`, "'\x7f'"},
		`'; DROP--`: {`'\'; DROP--'`, `'''; DROP--'`},
	} {
		if got := [2]string{google.Text(text), duck.Text(text)}; got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for x, want := range map[float64][2]string{
		1: {"1.0", "1e0"}, -4.5: {"-4.5", "-4.5e0"}, 0.1: {"0.1", "0.1e0"}, 1e21: {"1e+21", "1e+21"},
		math.MaxFloat64: {"1.7976931348623157e+308", "1.7976931348623157e+308"},
	} {
		if got := [2]string{google.Float(x), duck.Float(x)}; got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

// TestRandomCatalogues: what every catalogue's text has to be, whatever is in it. The texts' meaning is
// tested on engines, in scripts/oracle/sqltest.
func TestRandomCatalogues(t *testing.T) {
	for seed := range uint64(300) {
		c := gen.New(seed).Catalogue(12)
		for name, d := range dialects {
			for _, e := range entities {
				first, second := all(t, d, c, e), all(t, d, c, e)
				if first != second {
					t.Fatalf("seed %d, %s of %s: two texts of one catalogue", seed, name, e)
				}
				if strings.Contains(first, "%!") || strings.Count(first, "(") != strings.Count(first, ")") {
					t.Fatalf("seed %d, %s of %s: not well formed:\n%s", seed, name, e, first)
				}
				for _, f := range c.Of(e) {
					if !strings.Contains(first, "AS "+d.Quote(f.Name)) {
						t.Fatalf("seed %d, %s of %s: no column %s:\n%s", seed, name, e, f.Name, first)
					}
				}
			}
		}
	}
}

// all is every text of an entity.
func all(t *testing.T, d sql.Dialect, c feature.Catalogue, e feature.Entity) string {
	t.Helper()
	out, err := sql.Features(d, c, e, sql.Source{Table: "events", History: true})
	if err != nil {
		t.Fatal(err)
	}
	events, err := sql.Events(d, c, sql.Source{Table: "events"})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := sql.Tiles(d, c, e, sql.Source{Table: "events"})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, table := range tables {
		if names[table.Name] {
			t.Fatalf("two tables %s", table.Name)
		}
		names[table.Name] = true
		out += table.SQL
	}
	return out + events
}

// TestErrors: a catalogue that Parse did not judge is refused, not written wrongly.
func TestErrors(t *testing.T) {
	def := feature.Definition{Name: "a", Entity: feature.User, Aggregate: feature.Sum, Of: "properties.none", Window: feature.Day}
	_, err := sql.Features(sql.GoogleSQL(), feature.Catalogue{Features: []feature.Definition{def}}, feature.User, sql.Source{Table: "e"})
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), "properties.none") {
		t.Errorf("an undeclared field: %v", err)
	}
	c := feature.Catalogue{Features: []feature.Definition{{Name: "a", Entity: feature.User, Aggregate: feature.Count, Window: feature.Day}}}
	c.Derived = []feature.Derived{{Name: "b", Entity: feature.User, Expr: "a + none"}}
	if _, err := sql.Features(sql.GoogleSQL(), c, feature.User, sql.Source{Table: "e"}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("an unknown feature: %v", err)
	}
}

// TestNames: a feature may have the name of anything but the id column.
func TestNames(t *testing.T) {
	c := feature.Catalogue{Features: []feature.Definition{{Name: "user_id", Entity: feature.User, Aggregate: feature.Count, Window: feature.Day}}}
	if _, err := sql.Features(sql.GoogleSQL(), c, feature.User, sql.Source{Table: "e"}); err == nil || !strings.Contains(err.Error(), "user_id") {
		t.Errorf("a feature with the name of the id column: %v", err)
	}
	if _, err := sql.Features(sql.GoogleSQL(), c, feature.Item, sql.Source{Table: "e"}); err != nil {
		t.Error(err)
	}
}
