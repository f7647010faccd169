package sql_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var dialects = map[string]sql.Dialect{"googlesql": sql.GoogleSQL(), "duckdb": sql.DuckDB()}

var entities = []feature.Entity{feature.User, feature.Item, feature.Global}

// source is the table of the golden files.
var source = map[string]sql.Source{
	"googlesql": {Table: "`shop.raw.events`", Timestamps: true},
	"duckdb":    {Table: "raw_events"},
}

func catalogue(t *testing.T, file string) feature.Catalogue {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := feature.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGolden shows every query as people will read it.
func TestGolden(t *testing.T) {
	for name, file := range map[string]string{
		"default": "../feature/default.yaml", "media": "../feature/media.yaml", "tour": "testdata/tour.yaml",
	} {
		c := catalogue(t, file)
		for dialect, d := range dialects {
			got := text(t, d, c, source[dialect])
			golden(t, "testdata/"+name+"."+dialect+".sql", got)
		}
	}
}

// text is the features of every entity.
func text(t *testing.T, d sql.Dialect, c feature.Catalogue, s sql.Source) string {
	t.Helper()
	out := ""
	for _, e := range entities {
		if len(c.Of(e)) == 0 {
			continue
		}
		q, err := sql.Features(d, c, e, s)
		if err != nil {
			t.Fatal(err)
		}
		out += q + ";\n\n"
	}
	return out
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update if this is meant): %s", file, d)
	}
}

// TestGoldenTiles shows what materializing takes.
func TestGoldenTiles(t *testing.T) {
	c := catalogue(t, "testdata/tour.yaml")
	for dialect, d := range dialects {
		got, err := sql.Events(d, c, source[dialect])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entities {
			tables, err := sql.Tiles(d, c, e, sql.Source{Table: "events", Distinct: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range tables {
				got += ";\n\n-- Table " + table.Name + ".\n" + table.SQL
			}
		}
		golden(t, "testdata/tiles."+dialect+".sql", got+";\n")
	}
}
