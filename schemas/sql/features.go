package sql

import (
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/schemas/feature"
)

// Features returns the query of every feature of an entity at an instant: its columns are the member's
// id, the features and the derived features, in catalogue order.
func Features(d Dialect, c feature.Catalogue, e feature.Entity, s Source) (string, error) {
	x, err := compile(d, c, e)
	if err != nil {
		return "", err
	}
	derived, err := feature.CompileDerived(c, e)
	if err != nil {
		return "", fmt.Errorf("write features of %s as SQL: %w", e, err)
	}
	q := &query{comment: fmt.Sprintf("Features of %s at an instant, one row a member. %s, generated from the feature catalogue.\n%s: the instant, Unix ms.",
		e, d.Name(), d.Param("as_of"))}
	if !s.Distinct {
		q.comment += " " + cutComment(d)
	}
	x.events(q, s)
	x.windows(q)
	x.members(q)
	groups := x.groups(q)
	tops := x.tops(q)
	var last selection
	last.add("member", idColumn(e))
	for _, f := range x.plan.Features {
		last.add(d.Quote(f.Def.Name), d.Quote(f.Def.Name))
	}
	from := "\nFROM plain"
	for _, name := range append(groups, tops...) {
		from += "\nLEFT JOIN " + name + " USING (member)"
	}
	if len(derived.Formulas) == 0 {
		q.body = last.String() + from
		return q.String(), nil
	}
	q.with("feature", "All features side by side.", last.String()+from)
	q.body = x.derived(c, derived)
	return q.String(), nil
}

// windows adds the bounds of each window and the part `windowed`, which says of each event which windows
// it is in.
func (c *catalogue) windows(q *query) {
	var bounds, in selection
	in.add(memberOf(c, c.plan.Entity), "member")
	in.add("event.*", "event.*")
	ends := map[string]bool{}
	for _, w := range c.distinctWindows() {
		end := "end_" + widthName(w.Tile())
		if !ends[end] {
			ends[end] = true
			bounds.add(tileStart(c.Param("as_of"), w.Tile())+" + "+integer(w.Tile()), end)
		}
		bounds.add(tileStart(fmt.Sprintf("%s - %d", c.Param("as_of"), int64(w)), w.Tile()), "from_"+w.String())
		in.add(fmt.Sprintf("event_time >= from_%s AND event_time < %s", w, end), "in_"+w.String())
	}
	from := "\nFROM event"
	if len(bounds.lines) > 0 {
		q.with("bounds", "Windows take whole tiles of event time: from_W is the start of the tile that contains the instant less W,\n"+
			"end_w the end of the tile of width w that contains the instant. MOD twice rounds negative numbers down, too.", bounds.String())
		from += " CROSS JOIN bounds"
	}
	q.with("windowed", "Which windows each event is in.", in.String()+from)
}

// widthName is the width of a tile, such as 5m.
func widthName(width int64) string {
	if w := feature.Window(width); w < feature.Hour {
		return integer(int64(w/feature.Minute)) + "m"
	}
	return feature.Window(width).String()
}

// tileStart is the start of the tile of the width that contains an instant.
func tileStart(at string, width int64) string {
	return fmt.Sprintf("%s - MOD(MOD(%[1]s, %[2]d) + %[2]d, %[2]d)", at, width)
}

// distinctWindows returns the windows that end, rising.
func (c *catalogue) distinctWindows() []feature.Window {
	var out []feature.Window
	for _, f := range c.plan.Features {
		if w := f.Def.Window; w != feature.Lifetime && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// where returns the events that a feature takes.
func (c *catalogue) where(d feature.Definition) string {
	in := ""
	if d.Window != feature.Lifetime {
		in = "in_" + d.Window.String()
	}
	return and(in, c.filter(d.From))
}

// members adds the part `plain`: every member, with the features that one pass over its events answers.
func (c *catalogue) members(q *query) {
	var list selection
	list.add("member", "member")
	for _, f := range c.plan.Features {
		if f.Def.By == "" && f.Def.Aggregate != feature.TopK {
			list.note(f.Def.Description)
			list.add(c.plain(f.Def, c.where(f.Def)), c.Quote(f.Def.Name))
		}
	}
	q.with("plain", "One row a member.", list.String()+"\nFROM windowed\nGROUP BY member")
}

// groups adds, for each attribute that groups, the answers a (member, key) and their lists a member. It
// returns the names of the latter.
func (c *catalogue) groups(q *query) []string {
	var names []string
	for _, by := range c.attributes() {
		key, _ := c.column(by)
		var each, lists selection
		each.add("member", "member")
		each.add(key, "key")
		lists.add("member", "member")
		for _, f := range c.plan.Features {
			if f.Def.By != by {
				continue
			}
			name, n := c.Quote(f.Def.Name), c.Quote(f.Def.Name+"__n")
			each.note(f.Def.Description)
			each.add(c.plain(f.Def, c.where(f.Def)), name)
			if f.Def.Aggregate == feature.Count {
				n = name
			} else {
				each.add(c.present(f.Def, c.where(f.Def)), n)
			}
			lists.add(c.List(c.Struct("key", "key", name, "value"), n+" > 0", name+" DESC, key", 0), name)
		}
		q.with("by_"+key, fmt.Sprintf("Features by %s, and as __n of how many events.", by),
			each.String()+"\nFROM windowed\nWHERE "+key+" IS NOT NULL\nGROUP BY member, key")
		name := "groups_by_" + key
		q.with(name, "Their groups a member, largest first.", lists.String()+"\nFROM by_"+key+"\nGROUP BY member")
		names = append(names, name)
	}
	return names
}

// attributes returns the fields that group, in order of first use.
func (c *catalogue) attributes() []string {
	var out []string
	for _, f := range c.plan.Features {
		if by := f.Def.By; by != "" && !slices.Contains(out, by) {
			out = append(out, by)
		}
	}
	return out
}

// tops adds a part for each top_k, and returns their names.
func (c *catalogue) tops(q *query) []string {
	var names []string
	for _, f := range c.plan.Features {
		if f.Def.Aggregate != feature.TopK {
			continue
		}
		o := c.operand(f.Def)
		where := and(c.where(f.Def), o.column+" IS NOT NULL")
		name := "top_" + f.Def.Name
		q.with("counted_"+f.Def.Name, "The counts that "+f.Def.Name+" takes the largest of.",
			fmt.Sprintf("SELECT member, %s AS key, COUNT(*) AS count\nFROM windowed\nWHERE %s\nGROUP BY member, key", c.key(o), where))
		q.with(name, "", fmt.Sprintf("SELECT member, %s AS %s\nFROM counted_%s\nGROUP BY member",
			c.List(c.Struct("key", "key", "count", "count"), "", "count DESC, key", f.Def.N), c.Quote(f.Def.Name), f.Def.Name))
		names = append(names, name)
	}
	return names
}

// key is an operand as a text: of numbers the digits of their units.
func (c *catalogue) key(o operand) string {
	if o.Kind == feature.Text {
		return o.column
	}
	return c.CastText(o.column)
}
