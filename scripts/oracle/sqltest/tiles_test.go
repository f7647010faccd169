//go:build integration

package sqltest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/sql"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// compareTiles compares the tile tables with the buckets of schemas/tile: the same cells, and in them
// what one column says exactly.
func (r *run) compareTiles() {
	r.t.Helper()
	name := r.source.Table + "_distinct"
	text, err := sql.Events(r.dialect, r.Catalogue, r.source)
	if err != nil {
		r.t.Fatal(err)
	}
	if a := r.engine.query(r.t, "CREATE TABLE "+name+" AS\n"+text, map[string]any{"cut_epoch": nil}); !a.OK {
		r.t.Fatalf("%s\n%s", a.Error, text)
	}
	for _, e := range entities {
		tables, err := sql.Tiles(r.dialect, r.Catalogue, e, sql.Source{Table: name, Distinct: true})
		if err != nil {
			r.t.Fatal(err)
		}
		buckets := r.buckets(e)
		for _, table := range tables {
			a := r.engine.query(r.t, table.SQL, map[string]any{"as_of": 0})
			if !a.OK {
				r.t.Fatalf("%s\n%s", a.Error, table.SQL)
			}
			r.compareTable(e, buckets, a, table)
		}
	}
}

// buckets are the members' buckets.
func (r *run) buckets(e feature.Entity) map[string]tile.Bucket {
	plan, err := tile.Compile(r.Catalogue, e)
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]tile.Bucket{}
	var row tile.Row
	for _, x := range r.distinct() {
		id := oracle.Member(e, x)
		if out[id] == nil {
			out[id] = plan.NewBucket()
		}
		plan.Fill(&row, &x.Event, x.Seq)
		plan.Update(out[id], &row)
	}
	return out
}

// compareTable looks up every cell of a table in the buckets.
func (r *run) compareTable(e feature.Entity, buckets map[string]tile.Bucket, a answer, table sql.Table) {
	r.t.Helper()
	plan, err := tile.Compile(r.Catalogue, e)
	if err != nil {
		r.t.Fatal(err)
	}
	for column, name := range a.Columns {
		i := plan.Feature(name.Name)
		if i < 0 {
			continue
		}
		f := plan.Features[i]
		switch f.Def.Aggregate {
		case feature.Count, feature.Min, feature.Max, feature.Histogram, feature.TopK:
		default:
			continue // more than one column, or a sketch
		}
		cells := 0
		for _, row := range a.Rows {
			key := ""
			if f.Def.By != "" {
				key = row[2].(string)
			}
			v, err := r.partial(f, row[column])
			if err != nil {
				r.t.Fatalf("%s: %v\n%s", name.Name, err, table.SQL)
			}
			if v == "" {
				continue
			}
			cells++
			if want := kept(buckets[row[0].(string)][f.Series], fmt.Sprint(row[1]), key, f); want != v && want != capped {
				r.t.Fatalf("%s of %v, tile %v, key %q: %s, want %s\n%s", name.Name, row[0], row[1], key, v, want, table.SQL)
			}
		}
		want := 0
		for _, b := range buckets {
			want += len(b[f.Series])
		}
		if cells != want {
			r.t.Fatalf("%s: %d cells, want %d\n%s", name.Name, cells, want, table.SQL)
		}
		r.cells += cells
	}
}

// partial is a cell's answer as JSON; "" where no event is in it.
func (r *run) partial(f tile.Feature, x any) (string, error) {
	d, t := f.Def, f.Type
	d.By = ""
	c := r.Catalogue
	if t.Kind == feature.Decimal { // partials hold units
		c.Fields = map[string]feature.Type{d.Of: {Kind: feature.Integer}}
	}
	v, err := value(c, d, x)
	text := v.String()
	if empty := map[string]bool{"0": true, "null": true}; empty[text] && d.Aggregate != feature.Min && d.Aggregate != feature.Max || v.IsNull() {
		return "", err
	}
	if d.Aggregate == feature.Histogram && strings.Trim(text, "[0,]") == "" {
		return "", err
	}
	if top, ok := v.Top(); ok {
		return keys(top), err
	}
	return text, err
}

// keys is the counts of a top_k in the order of their keys.
func keys(top agg.Top) string {
	slices.SortFunc(top.Keys, func(a, b agg.Counted) int { return strings.Compare(a.Key, b.Key) })
	return fmt.Sprint(top.Keys)
}

// capped is a top_k whose tile has met more keys than it holds; tables hold all of them.
const capped = "capped"

// kept is the same of a bucket.
func kept(s tile.Series, number, key string, f tile.Feature) string {
	for i := range s {
		if fmt.Sprint(s[i].Tile) != number || s[i].Key != key {
			continue
		}
		t := f.Type
		if t.Kind == feature.Decimal {
			t = feature.Type{Kind: feature.Integer}
		}
		d := f.Def
		if d.Aggregate == feature.TopK {
			d.N = max(32, 4*d.N)
		}
		m, err := agg.For(d, t)
		if err != nil {
			return err.Error()
		}
		v := m.Finalize(&s[i].Partial)
		if top, ok := v.Top(); ok {
			if !top.Exact {
				return capped
			}
			return keys(top)
		}
		return v.String()
	}
	return "no such cell"
}
