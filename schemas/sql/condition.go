package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// filter returns a filter as a condition; "" takes every event. A comparison with NULL is no match, as
// the catalogue has it.
func (c *catalogue) filter(f feature.Filter) string {
	var all []string
	switch len(f.Types) {
	case 0:
	case 1:
		all = append(all, "type = "+c.Text(f.Types[0]))
	default:
		var list []string
		for _, t := range f.Types {
			list = append(list, c.Text(t))
		}
		all = append(all, "type IN ("+strings.Join(list, ", ")+")")
	}
	for _, w := range f.Where {
		all = append(all, c.condition(w))
	}
	return and(all...)
}

// ops are the operators that SQL writes otherwise.
var ops = map[feature.Op]string{feature.Eq: "=", feature.Ne: "!="}

func (c *catalogue) condition(w feature.Condition) string {
	column, t := c.column(w.Field)
	whole := t.Kind != feature.Text && t.Kind != feature.Float
	for _, v := range w.Values {
		whole = whole && isWhole(t, v)
	}
	if t.Kind != feature.Text && t.Kind != feature.Float && !whole {
		column = c.CastFloat(column) // no literal that Parse lets through; compared as tile does
	}
	var values []string
	for _, v := range w.Values {
		values = append(values, c.literal(t, v, whole))
	}
	if w.Op == feature.In {
		return fmt.Sprintf("%s IN (%s)", column, strings.Join(values, ", "))
	}
	op := ops[w.Op]
	if op == "" {
		op = string(w.Op)
	}
	return column + " " + op + " " + values[0]
}

// isWhole reports whether a literal is a whole number of the field's units.
func isWhole(t feature.Type, v feature.Literal) bool {
	_, ok := t.Units(v.Number)
	return ok
}

// literal writes a literal as the column of the type holds it.
func (c *catalogue) literal(t feature.Type, v feature.Literal, whole bool) string {
	switch {
	case t.Kind == feature.Text:
		return c.Text(v.Text)
	case !whole:
		return c.Float(v.Number)
	}
	units, _ := t.Units(v.Number)
	return integer(units)
}

// column returns the column of a field of the plan, and its type.
func (c *catalogue) column(field string) (string, feature.Type) {
	i := slices.IndexFunc(c.plan.Fields, func(f tile.Field) bool { return f.Name == field })
	if i < 0 {
		return "NULL", feature.Type{} // the plan has every field that its definitions name
	}
	return c.columns[field], c.plan.Fields[i].Type
}
