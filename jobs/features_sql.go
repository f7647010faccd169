package jobs

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
)

type sqlFeaturesCmd struct {
	definitions
	Entity  string `enum:"user,item,global" default:"user" help:"Whose features (${enum})."`
	Dialect string `enum:"googlesql,duckdb" default:"googlesql" help:"For which engine (${enum})."`
	Table   string `default:"events_raw" help:"The table of raw events, with epoch and seq."`
	History bool   `help:"Only what had been logged and had happened at @as_of, as in training sets."`
}

// Run prints one query.
func (c *sqlFeaturesCmd) Run(rt *runtimeEnv) error {
	f, err := c.catalogue()
	if err != nil {
		return err
	}
	d := sql.GoogleSQL()
	if c.Dialect == "duckdb" {
		d = sql.DuckDB()
	}
	text, err := sql.Features(d, f, feature.Entity(c.Entity), sql.Source{Table: d.Quote(c.Table), Timestamps: true, History: c.History})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(rt.stdout, text)
	return err
}
