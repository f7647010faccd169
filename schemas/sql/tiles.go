package sql

import (
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// Table is a query with the name of what it answers.
type Table struct {
	Name string
	SQL  string
}

// Tiles returns queries that together answer what a batch view of the entity holds: the partials of every
// series, one row a (_member, _tile[, _key]). Series of the same tile width and grouping attribute share a
// table, since one pass over the events answers them all; top_k has one of its own a series. A tile is
// named by its number: start / width; lifetimes have the single tile 0. Read with a Source that is
// Distinct, or every query finds the events that count again. Tiles that no window of their table read at
// as_of or later reaches are left out, as materialize leaves them out; an as_of of 0 keeps all.
func Tiles(d Dialect, c feature.Catalogue, e feature.Entity, s Source) ([]Table, error) {
	x, err := compile(d, c, e)
	if err != nil {
		return nil, err
	}
	s.History = false
	var out []Table
	for _, g := range x.tables() {
		q := &query{comment: fmt.Sprintf("Tiles of %s: %s. %s, generated from the feature catalogue.", e, g.about(), d.Name())}
		if !s.Distinct {
			q.comment += "\n" + cutComment(d)
		}
		x.events(q, s)
		q.body = x.tiles(q, g)
		out = append(out, Table{string(e) + "_" + g.name(), q.String()})
	}
	return out, nil
}

// table is the series that one query answers.
type table struct {
	width  int64
	by     string // the grouping attribute
	column string // its column
	top    string // the feature of a top_k
	series []series
}

// series is a series with the first feature that reads it.
type series struct {
	tile.Feature
	window feature.Window // the longest that reads it
}

func (g *table) name() string {
	name := "lifetime"
	if g.width > 0 {
		name = widthName(g.width)
	}
	if g.by != "" {
		name += "_by_" + g.column
	}
	if g.top != "" {
		name += "_" + g.top
	}
	return name
}

func (g *table) about() string {
	text := "one of all time"
	if g.width > 0 {
		text = widthName(g.width) + " wide"
	}
	if g.by != "" {
		text += ", by " + g.by
	}
	return text
}

// window returns the longest of the table's windows.
func (g *table) window() feature.Window {
	var longest feature.Window
	for _, s := range g.series {
		if s.Def.Window == feature.Lifetime {
			return feature.Lifetime
		}
		longest = max(longest, s.window)
	}
	return longest
}

// tables puts each series, by the first feature that reads it, into its table.
func (c *catalogue) tables() []*table {
	var out []*table
	seen := map[int]bool{}
	for _, f := range c.plan.Features {
		if seen[f.Series] {
			continue
		}
		seen[f.Series] = true
		g := table{width: f.Def.Window.Tile(), by: f.Def.By, series: []series{{f, c.plan.Series[f.Series].Window}}}
		if g.by != "" {
			g.column, _ = c.column(g.by)
		}
		if f.Def.Aggregate == feature.TopK {
			g.top = f.Def.Name
		}
		i := slices.IndexFunc(out, func(o *table) bool { return o.width == g.width && o.by == g.by && o.top == g.top })
		if i < 0 {
			out = append(out, &g)
			continue
		}
		out[i].series = append(out[i].series, g.series...)
	}
	return out
}

// tiles returns the final SELECT of a table.
func (c *catalogue) tiles(q *query, g *table) string {
	number := "0"
	if g.width > 0 { // event times are not negative
		number = c.Div("event_time", g.width)
	}
	var tiled selection
	tiled.add("event.*", "event.*")
	tiled.add(memberOf(c, c.plan.Entity), "_member")
	tiled.add(number, "_tile")
	where := ""
	if w := g.window(); w != feature.Lifetime {
		where = "\nWHERE event_time >= " + tileStart(fmt.Sprintf("%s - %d", c.Param("as_of"), int64(w)), g.width)
	}
	q.with("tiled", "The tile of each event that a window can reach.", tiled.String()+"\nFROM event"+where)
	var list selection
	list.add("_member", "_member")
	list.add("_tile", "_tile")
	from, by := "\nFROM tiled", "\nGROUP BY _member, _tile"
	if g.top != "" {
		return c.topTiles(q, g.series[0].Def, list, from, by)
	}
	if g.by != "" {
		list.add(g.column, "_key")
		from, by = from+"\nWHERE "+g.column+" IS NOT NULL", by+", _key"
	}
	for _, f := range g.series {
		c.partial(&list, f.Def, g.width)
	}
	return list.String() + from + by
}

// topTiles counts keys a tile. It keeps them all, where a view keeps as many as a tile may hold, and in no
// order: to sort them took DuckDB six times as long as to count them.
func (c *catalogue) topTiles(q *query, d feature.Definition, list selection, from, by string) string {
	o := c.operand(d)
	q.with("counted", "", fmt.Sprintf("SELECT _member, _tile, %s AS _key, COUNT(*) AS _count%s\nWHERE %s%s, _key",
		c.key(o), from, and(c.filter(d.From), o.column+" IS NOT NULL"), by))
	list.add(c.List(c.Struct("_key", "key", "_count", "count"), "", "", 0), c.Quote(d.Name))
	return list.String() + "\nFROM counted" + by
}

// partial adds the columns of what a series keeps: name, and _n_name where it counts, too.
func (c *catalogue) partial(list *selection, d feature.Definition, width int64) {
	o, where := c.operand(d), c.filter(d.From)
	add := func(x, prefix string) { list.add(x, c.Quote(prefix+d.Name)) }
	switch d.Aggregate {
	case feature.Sum, feature.Mean:
		sum := c.Of("SUM", o.column, where)
		if !o.float() {
			sum = c.Exact(o.column, where)
		}
		add(sum, "")
		add(c.Of("COUNT", o.column, where), "_n_")
	case feature.Min:
		add(c.Of("MIN", o.column, where), "")
	case feature.Max:
		add(c.Of("MAX", o.column, where), "")
	case feature.First, feature.Last:
		x := c.Struct(o.column, "value", "event_time", "event_time", "seq", "seq")
		add(c.Edge(x, and(where, o.column+" IS NOT NULL"), d.Aggregate == feature.Last, true), "")
	case feature.Distinct:
		add(c.Sketch(o.column, where, d.Precision), "")
	case feature.LastN:
		add(c.latestPartial(d, o, where), "")
	case feature.DecayedCount, feature.DecayedSum:
		add(c.decayed(d, o, where, fmt.Sprintf("_tile * %d", width)), "")
	case feature.Ratio:
		add(c.Count(and(where, c.filter(*d.Numerator))), "")
		below := where
		if d.Denominator != nil {
			below = and(where, c.filter(*d.Denominator))
		}
		add(c.Count(below), "_n_")
	default:
		add(c.plain(d, where), "")
	}
}

// latestPartial keeps what orders the entries, too.
func (c *catalogue) latestPartial(d feature.Definition, o operand, where string) string {
	if d.Of == feature.Interaction {
		return c.latest(d, o, where)
	}
	x := c.Struct(o.column, "value", "event_time", "event_time", "seq", "seq")
	return c.Latest(x, and(where, o.column+" IS NOT NULL"), d.N, true)
}
