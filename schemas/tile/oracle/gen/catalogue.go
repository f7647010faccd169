package gen

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
)

// The texts that fields take.
var (
	types      = []string{"cart", "purchase", "view"}
	categories = []string{"books", "hats", "Ä ö\"'", "shoes"}
	devices    = []string{"ios", "android", "web"}
	texts      = []string{"a", "b", "c d", "0"}
	sessions   = []string{"s1", "s2"}
)

// fields declares fields of every type, and now and then value and price as other than floats.
func (g *Gen) fields() map[string]feature.Type {
	f := map[string]feature.Type{
		"context.device":     {Kind: feature.Text},
		"properties.text":    {Kind: feature.Text},
		"properties.number":  {Kind: feature.Integer},
		"properties.amount":  {Kind: feature.Decimal, Scale: 1 + g.IntN(6)},
		"properties.float":   {Kind: feature.Float},
		"properties.boolean": {Kind: feature.Boolean},
		"properties.time":    {Kind: feature.Time},
	}
	for _, name := range []string{"value", "price"} {
		if g.one(2) {
			f[name] = pick(g, feature.Type{Kind: feature.Integer}, feature.Type{Kind: feature.Decimal, Scale: 1 + g.IntN(6)}, feature.Type{Kind: feature.Float})
		}
	}
	return f
}

// Catalogue returns a valid catalogue of n features. Every aggregate is as likely as any other. Some
// features differ from another one in little, so that they share what is kept of events, or must not.
func (g *Gen) Catalogue(n int) feature.Catalogue {
	c := feature.Catalogue{Fields: g.fields()}
	filters := []feature.Filter{{}, g.filter(c), g.filter(c)} // a few, so that series are shared
	for i := range n {
		d := g.Definition(c, fmt.Sprintf("f%d", i), filters)
		if i > 0 && g.one(4) {
			d = g.variant(c, d.Name, pick(g, c.Features...))
		}
		c.Features = append(c.Features, d)
	}
	return c
}

// variant returns a definition that differs from another one in little.
func (g *Gen) variant(c feature.Catalogue, name string, d feature.Definition) feature.Definition {
	d.Name = name
	if w := g.window(); g.one(2) && (w != feature.Lifetime || d.HalfLife == 0) {
		d.Window = w
		return d
	}
	switch d.Aggregate {
	case feature.Sum:
		d.Aggregate = feature.Mean
	case feature.Min:
		d.Aggregate = feature.Max
	case feature.First:
		d.Aggregate = feature.Last
	case feature.LastN, feature.TopK:
		d.N = 1 + g.IntN(20)
	case feature.Distinct:
		d.Precision = 4 + g.IntN(11)
	case feature.DecayedCount, feature.DecayedSum:
		d.HalfLife = pick(g, feature.Hour, 2*feature.Day)
	case feature.Ratio:
		d.Denominator = g.side(c, d.From)
	case feature.Histogram:
		t, _ := c.Type(d.Of)
		d.Bounds = g.bounds(t)
	default:
		d.From = g.filter(c)
	}
	return d
}

// Definition returns a valid definition over fields of the catalogue, with one of the filters or a new one.
func (g *Gen) Definition(c feature.Catalogue, name string, filters []feature.Filter) feature.Definition {
	d := feature.Definition{
		Name: name, Aggregate: pick(g, feature.Aggregates()...), From: g.filter(c), Window: g.window(),
		Entity: pick(g, feature.User, feature.User, feature.Item, feature.Global),
	}
	if len(filters) > 0 && !g.one(3) {
		d.From = pick(g, filters...)
	}
	d.Of = g.operand(c, d.Aggregate)
	if d.Entity != feature.Global && d.Aggregate.Grouped() && g.one(2) {
		other := map[feature.Entity]string{feature.User: "item_id", feature.Item: "user_id"}[d.Entity]
		d.By = pick(g, "category", "category", "context.device", "properties.text", "type", "session_id", other)
	}
	switch d.Aggregate {
	case feature.LastN:
		d.N = pick(g, 1, 2, 5, 1+g.IntN(100), 1000)
	case feature.TopK:
		d.N = pick(g, 1, 2, 5, 1+g.IntN(20))
	case feature.Distinct:
		d.Precision = 4 + g.IntN(11)
	case feature.DecayedCount, feature.DecayedSum:
		d.HalfLife = pick(g, feature.Hour, 7*feature.Hour, 3*feature.Day, 365*feature.Day)
		if d.Window == feature.Lifetime {
			d.Window = 90 * feature.Day
		}
	case feature.Ratio:
		d.Numerator = g.side(c, d.From)
		if g.one(2) {
			d.Denominator = g.side(c, d.From)
		}
	case feature.Histogram:
		t, _ := c.Type(d.Of)
		d.Bounds = g.bounds(t)
	}
	return d
}

// window returns a window of each tile size, also at their limits.
func (g *Gen) window() feature.Window {
	return pick(g, feature.Hour, 2*feature.Hour, 6*feature.Hour, 7*feature.Hour, 48*feature.Hour, 49*feature.Hour,
		feature.Day, 3*feature.Day, 7*feature.Day, 30*feature.Day, 365*feature.Day, feature.Lifetime)
}

// operand returns a field that the aggregate takes, or "".
func (g *Gen) operand(c feature.Catalogue, a feature.Aggregate) string {
	var names []string
	for _, name := range fieldNames(c) {
		if t, _ := c.Type(name); a.Accepts(t.Kind) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	if a == feature.LastN && g.one(2) {
		return feature.Interaction
	}
	return pick(g, names...)
}

// fieldNames returns every field that a definition can use, sorted.
func fieldNames(c feature.Catalogue) []string {
	names := []string{"user_id", "item_id", "type", "session_id", "category", "event_time", "value", "price"}
	names = slices.AppendSeq(names, maps.Keys(c.Fields))
	slices.Sort(names)
	return slices.Compact(names)
}

// filter returns a filter of types, conditions, both or neither.
func (g *Gen) filter(c feature.Catalogue) feature.Filter {
	var f feature.Filter
	if g.one(2) {
		f.Types = slices.Clone(pick(g, types[:1], types[1:], types[:2]))
	}
	for range pick(g, 0, 0, 1, 2) {
		f.Where = append(f.Where, g.condition(c))
	}
	return f
}

// side returns a filter for one side of a ratio: it says something, and names only types of from.
func (g *Gen) side(c feature.Catalogue, from feature.Filter) *feature.Filter {
	f := g.filter(c)
	if len(from.Types) > 0 && len(f.Types) > 0 {
		f.Types = []string{pick(g, from.Types...)}
	}
	if len(f.Types)+len(f.Where) == 0 {
		f.Where = append(f.Where, g.condition(c))
	}
	return &f
}

func (g *Gen) condition(c feature.Catalogue) feature.Condition {
	w := feature.Condition{Field: pick(g, fieldNames(c)...)}
	t, _ := c.Type(w.Field)
	ops := slices.DeleteFunc([]feature.Op{feature.Eq, feature.Ne, feature.Lt, feature.Le, feature.Gt, feature.Ge, feature.In},
		func(o feature.Op) bool { return !o.Accepts(t.Kind) })
	w.Op = pick(g, ops...)
	w.Values = []feature.Literal{g.literal(w.Field, t)}
	if w.Op == feature.In {
		for range g.IntN(3) {
			w.Values = append(w.Values, g.literal(w.Field, t))
		}
		slices.SortFunc(w.Values, func(a, b feature.Literal) int {
			switch {
			case a.Number != b.Number && a.Number < b.Number:
				return -1
			case a.Number != b.Number:
				return 1
			}
			return strings.Compare(a.Text, b.Text)
		})
		w.Values = slices.Compact(w.Values)
	}
	return w
}

// literal returns a literal of a field: a value that events have, or one beside it.
func (g *Gen) literal(name string, t feature.Type) feature.Literal {
	switch t.Kind {
	case feature.Text:
		return feature.Literal{Text: g.text(name)}
	case feature.Boolean:
		return feature.Literal{Number: float64(g.IntN(2))}
	case feature.Time:
		return feature.Literal{Number: float64(Base - pick(g, 0, hour, day, 30*day))}
	case feature.Float:
		return feature.Literal{Number: pick(g, 0, 1.5, -2.25, 0.1, 1e15)}
	case feature.Integer:
		return feature.Literal{Number: float64(pick(g, 0, 1, 4, -3, 1<<53-1))}
	}
	return feature.Literal{Number: g.decimal(t.Scale)}
}

// decimal returns the float64 nearest to a decimal of the scale.
func (g *Gen) decimal(scale int) float64 {
	units := pick(g, 0, 1, -1, 5, 105, 12345, g.Int64N(2_000_000)-1_000_000, 1<<49)
	return float64(units) / math.Pow10(scale)
}

// bounds returns rising boundaries, among them values that events have.
func (g *Gen) bounds(t feature.Type) []float64 {
	var b []float64
	for range 1 + g.IntN(6) {
		b = append(b, g.literal("", t).Number)
	}
	slices.Sort(b)
	return slices.Compact(b)
}

// text returns a text that a field may have.
func (g *Gen) text(field string) string {
	switch field {
	case "user_id":
		return fmt.Sprintf("u%d", g.IntN(3))
	case "item_id":
		return fmt.Sprintf("i%d", g.IntN(5))
	case "type":
		return pick(g, types...)
	case "session_id":
		return pick(g, sessions...)
	case "category":
		return pick(g, categories...)
	case "context.device":
		return pick(g, devices...)
	}
	return pick(g, texts...)
}
