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
	if err := nameable(c, e); err != nil {
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
	last.add("_member", idColumn(e))
	for _, f := range x.plan.Features {
		last.add(d.Quote(f.Def.Name), d.Quote(f.Def.Name))
	}
	from := "\nFROM _plain"
	for _, name := range append(groups, tops...) {
		from += "\nLEFT JOIN " + name + " USING (_member)"
	}
	if len(derived.Formulas) == 0 {
		q.body = last.String() + from
		return q.String(), nil
	}
	q.with("_feature", "All features side by side.", last.String()+from)
	q.body = x.derived(c, derived)
	return q.String(), nil
}

// nameable refuses a feature with the name of the id column.
func nameable(c feature.Catalogue, e feature.Entity) error {
	var names []string
	for _, f := range c.Of(e) {
		names = append(names, f.Name)
	}
	for _, f := range c.Derived {
		if f.Entity == e {
			names = append(names, f.Name)
		}
	}
	if slices.Contains(names, idColumn(e)) {
		return fmt.Errorf("write features of %s as SQL: name %q: any other is accepted, the column with the %s's id has this one", e, idColumn(e), e)
	}
	return nil
}

// windows adds the bounds of each window and the part `windowed`, which says of each event which windows
// it is in.
func (c *catalogue) windows(q *query) {
	var bounds, in selection
	in.add(memberOf(c, c.plan.Entity), "_member")
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

// members adds the part `_plain`: every member, with the features that one pass over its events answers.
func (c *catalogue) members(q *query) {
	var list selection
	list.add("_member", "_member")
	for _, f := range c.plan.Features {
		if f.Def.By == "" && f.Def.Aggregate != feature.TopK {
			list.note(f.Def.Description)
			list.add(c.plain(f.Def, c.where(f.Def)), c.Quote(f.Def.Name))
		}
	}
	q.with("_plain", "One row a member. Names that begin with _ are never those of features.", list.String()+"\nFROM windowed\nGROUP BY _member")
}

// groups adds, for each attribute that groups, the answers a (_member, _key) and their lists a member. It
// returns the names of the latter.
func (c *catalogue) groups(q *query) []string {
	var names []string
	for _, by := range c.attributes() {
		key, _ := c.column(by)
		var each, lists selection
		each.add("_member", "_member")
		each.add(key, "_key")
		lists.add("_member", "_member")
		for _, f := range c.plan.Features {
			if f.Def.By != by {
				continue
			}
			name, n := c.Quote(f.Def.Name), c.Quote("_n_"+f.Def.Name)
			each.note(f.Def.Description)
			each.add(c.plain(f.Def, c.where(f.Def)), name)
			if f.Def.Aggregate == feature.Count {
				n = name
			} else {
				each.add(c.present(f.Def, c.where(f.Def)), n)
			}
			lists.add(c.List(c.Struct("_key", "key", name, "value"), n+" > 0", name+" DESC, _key", 0), name)
		}
		q.with("_by_"+key, fmt.Sprintf("Features by %s, and as _n_ of how many events.", by),
			each.String()+"\nFROM windowed\nWHERE "+key+" IS NOT NULL\nGROUP BY _member, _key")
		name := "_groups_by_" + key
		q.with(name, "Their groups a member, largest first.", lists.String()+"\nFROM _by_"+key+"\nGROUP BY _member")
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
		name := "_top_" + f.Def.Name
		q.with("_counted_"+f.Def.Name, "The counts that "+f.Def.Name+" takes the largest of.",
			fmt.Sprintf("SELECT _member, %s AS _key, COUNT(*) AS _count\nFROM windowed\nWHERE %s\nGROUP BY _member, _key", c.key(o), where))
		q.with(name, "", fmt.Sprintf("SELECT _member, %s AS %s\nFROM _counted_%s\nGROUP BY _member",
			c.List(c.Struct("_key", "key", "_count", "count"), "", "_count DESC, _key", f.Def.N), c.Quote(f.Def.Name), f.Def.Name))
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
