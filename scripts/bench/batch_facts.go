package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/schemas/tile"
)

// facts are numbers that both engines must agree on, by what they are of: how many members an entity has, and of each
// series that is exact how many cells there are and what they add up to.
type facts map[string]int64

// factModulus keeps sums of times and prices small.
const factModulus = 1_000_003

// fact is what is asked of a series.
type fact struct {
	feature tile.Feature // the first that reads it
	from    int64        // the first tile that a view keeps
}

// factsAbout returns what can be asked of an entity: each series once that both engines hold exactly.
func factsAbout(p *tile.Plan, asOf int64) (out []fact) {
	seen := map[int]bool{}
	for _, f := range p.Features {
		if seen[f.Series] {
			continue
		}
		seen[f.Series] = true
		s := &p.Series[f.Series]
		x := fact{feature: f, from: math.MinInt64}
		if s.Width > 0 {
			x.from = tile.Start(asOf-int64(s.Window), s.Width) / s.Width
		}
		if _, _, ok := x.sql(); ok {
			out = append(out, x)
		}
	}
	return out
}

// value is what a cell adds to the sum.
func (x *fact) value(p *agg.Partial) int64 {
	switch x.feature.Def.Aggregate {
	case feature.Count:
		return p.N
	case feature.Sum, feature.Mean, feature.Ratio:
		return p.A
	case feature.Min, feature.Max:
		return p.A % factModulus
	}
	return 0
}

// sql returns the same for DuckDB: which rows of a table of tiles are cells, and what they add up to. Not ok means
// that there is nothing exact to compare.
func (x *fact) sql() (cell, value string, ok bool) {
	d := x.feature.Def
	name, count := sql.DuckDB().Quote(d.Name), sql.DuckDB().Quote("_n_"+d.Name)
	switch d.Aggregate {
	case feature.Count:
		return name + " > 0", name, true
	case feature.Sum, feature.Mean:
		return count + " > 0", name, x.feature.Type.Kind != feature.Float
	case feature.Ratio:
		return name + " + " + count + " > 0", name, true
	case feature.Min, feature.Max:
		return name + " IS NOT NULL", fmt.Sprintf("%s %% %d", name, factModulus), x.feature.Type.Kind != feature.Float
	case feature.DecayedCount:
		return name + " > 0", "0", true
	}
	return "", "", false
}

// factsOf reads the tables of a result.
func factsOf(c feature.Catalogue, asOf int64, r *materialize.Result) (facts, error) {
	out := facts{"events": r.Counts.Events, "duplicates": r.Counts.Duplicates}
	for i, e := range []feature.Entity{feature.User, feature.Item, feature.Global} { // the order of Result.Files
		if err := out.addTable(c, e, asOf, r.Files[i]); err != nil {
			return nil, fmt.Errorf("look into the table of %s: %w", e, err)
		}
	}
	return out, nil
}

func (out facts) addTable(c feature.Catalogue, e feature.Entity, asOf int64, l artifact.Local) error {
	p, err := tile.Compile(c, e)
	if err != nil {
		return err
	}
	t, err := sorted.Open(l.Path)
	if err != nil {
		return err
	}
	about := factsAbout(p, asOf)
	cells, sums := make([]int64, len(about)), make([]int64, len(about))
	it := t.Iter()
	for it.Next() {
		view := it.Value()
		if e == feature.User {
			if view, _, err = artifact.SplitUser(view); err != nil {
				return err
			}
		}
		b, err := p.DecodeView(view)
		if err != nil {
			return err
		}
		for i := range about {
			for _, cell := range b[about[i].feature.Series] {
				if cell.Tile < about[i].from {
					continue // pruning is staggered: the view has not been pruned as of the night
				}
				cells[i]++
				sums[i] += about[i].value(&cell.Partial)
			}
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	out[string(e)+" members"] = t.Rows()
	for i := range about {
		out.set(e, about[i].feature.Def.Name, cells[i], sums[i])
	}
	return t.Close()
}

func (out facts) set(e feature.Entity, name string, cells, sum int64) {
	out[fmt.Sprintf("%s.%s cells", e, name)] = cells
	out[fmt.Sprintf("%s.%s sum", e, name)] = sum
}

// factsSQL asks DuckDB's tables of an entity the same: one statement, whose single row answers names.
func factsSQL(c feature.Catalogue, e feature.Entity, asOf int64, tables []sql.Table) (statement string, names []string, err error) {
	p, err := tile.Compile(c, e)
	if err != nil {
		return "", nil, err
	}
	var columns []string
	ask := func(name, text string) {
		names, columns = append(names, name), append(columns, "(SELECT "+text+")")
	}
	ask(string(e)+" members", "count(DISTINCT _member) FROM ("+membersSQL(tables)+")")
	for _, x := range factsAbout(p, asOf) {
		cell, value, _ := x.sql()
		name := x.feature.Def.Name
		table, err := tableOf(tables, name)
		if err != nil {
			return "", nil, err
		}
		from := fmt.Sprintf(" FROM %s WHERE %s AND _tile >= %d", table, cell, max(x.from, math.MinInt32))
		ask(fmt.Sprintf("%s.%s cells", e, name), "count(*)"+from)
		ask(fmt.Sprintf("%s.%s sum", e, name), "CAST(coalesce(sum("+value+"), 0) AS BIGINT)"+from)
	}
	return "SELECT " + strings.Join(columns, ", "), names, nil
}

// membersSQL selects the members of every table.
func membersSQL(tables []sql.Table) string {
	var all []string
	for _, t := range tables {
		all = append(all, "SELECT _member FROM "+t.Name)
	}
	return strings.Join(all, " UNION ")
}

// tableOf finds the table that has a feature's column.
func tableOf(tables []sql.Table, name string) (string, error) {
	for _, t := range tables {
		if strings.Contains(t.SQL, " AS "+sql.DuckDB().Quote(name)) {
			return t.Name, nil
		}
	}
	return "", fmt.Errorf("no table of tiles has the column %s", name)
}
