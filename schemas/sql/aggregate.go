package sql

import (
	"fmt"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
)

// operand is what an aggregate takes of an event.
type operand struct {
	column string
	feature.Type
}

func (c *catalogue) operand(d feature.Definition) operand {
	if d.Of == "" || d.Of == feature.Interaction {
		return operand{}
	}
	column, t := c.column(d.Of)
	return operand{column, t}
}

func (o operand) float() bool { return o.Kind == feature.Float }

// number is the operand as a float, in the unit of its field.
func (o operand) number() string {
	if o.Kind == feature.Decimal {
		return o.column + " / " + power(o.Scale)
	}
	return o.column
}

// answer turns what the column holds into what the field says.
func (c *catalogue) answer(o operand, x string) string {
	switch o.Kind {
	case feature.Decimal:
		return c.Decimal(x, o.Scale, false)
	case feature.Boolean:
		return x + " = 1"
	}
	return x
}

// plain is the answer of a feature over the events of a group that match the condition; top_k has
// a query of its own.
func (c *catalogue) plain(d feature.Definition, where string) string {
	o := c.operand(d)
	switch d.Aggregate {
	case feature.Count:
		return c.Count(where)
	case feature.Ratio:
		return c.ratio(d, where)
	case feature.Sum:
		return c.sum(o, where)
	case feature.Mean:
		return c.mean(o, where)
	case feature.Min:
		return c.answer(o, c.Of("MIN", o.column, where))
	case feature.Max:
		return c.answer(o, c.Of("MAX", o.column, where))
	case feature.First, feature.Last:
		return c.answer(o, c.Edge(o.column, where, d.Aggregate == feature.Last, false))
	case feature.Distinct:
		return c.Distinct(o.column, where)
	case feature.LastN:
		return c.latest(d, o, where)
	case feature.DecayedCount, feature.DecayedSum:
		return "COALESCE(" + c.decayed(d, o, where, c.Param("as_of")) + ", " + c.Float(0) + ")"
	}
	return c.histogram(d, o, where)
}

// present counts the events that give a group its answer.
func (c *catalogue) present(d feature.Definition, where string) string {
	if o := c.operand(d); o.column != "" {
		where = and(where, o.column+" IS NOT NULL")
	}
	if d.Aggregate == feature.Ratio && d.Denominator != nil {
		// `a OR b` is true where one is, whatever is NULL in the other.
		where = and(where, "("+parenthesized(c.filter(*d.Numerator))+" OR "+parenthesized(c.filter(*d.Denominator))+")")
	}
	return c.Count(where)
}

func parenthesized(where string) string {
	switch {
	case where == "":
		return "TRUE"
	case strings.Contains(where, " AND "):
		return "(" + where + ")"
	}
	return where
}

func (c *catalogue) ratio(d feature.Definition, where string) string {
	below := where
	if d.Denominator != nil {
		below = and(where, c.filter(*d.Denominator))
	}
	above := and(where, c.filter(*d.Numerator))
	return fmt.Sprintf("%s / NULLIF(%s, 0)", c.Count(above), c.Count(below))
}

func (c *catalogue) sum(o operand, where string) string {
	if o.float() {
		return "COALESCE(" + c.Of("SUM", o.column, where) + ", " + c.Float(0) + ")"
	}
	x := "COALESCE(" + c.Exact(o.column, where) + ", 0)"
	if o.Kind == feature.Decimal {
		return c.Decimal(x, o.Scale, true)
	}
	return x
}

// mean rounds once where the sum is below 2^53 units: it divides two whole numbers as floats.
func (c *catalogue) mean(o operand, where string) string {
	if o.float() {
		return c.Of("AVG", o.column, where)
	}
	n := "NULLIF(" + c.Of("COUNT", o.column, where) + ", 0)"
	if o.Kind == feature.Decimal {
		n = "(" + n + " * " + power(o.Scale) + ")"
	}
	return c.CastFloat(c.Exact(o.column, where)) + " / " + n
}

// decayed adds up events or operands as they are worth at an instant. It is NULL without any.
func (c *catalogue) decayed(d feature.Definition, o operand, where, at string) string {
	x := fmt.Sprintf("POW(2, (event_time - %s) / %d)", at, int64(d.HalfLife))
	if d.Aggregate == feature.DecayedSum {
		x = o.number() + " * " + x
	}
	return c.Of("SUM", x, where)
}

func (c *catalogue) latest(d feature.Definition, o operand, where string) string {
	if d.Of != feature.Interaction {
		x := c.answer(o, o.column)
		return c.Latest(x, where, d.N, false)
	}
	x := c.Struct("item_id", "item_id", "type", "type", "value", "value", "event_time", "event_time", "seq", "seq")
	return c.Latest(x, where, d.N, true)
}

// histogram counts the operands between each two bounds.
func (c *catalogue) histogram(d feature.Definition, o operand, where string) string {
	var buckets []string
	for i := range len(d.Bounds) + 1 {
		var low, high string
		if i > 0 {
			low = o.number() + " >= " + c.Float(d.Bounds[i-1])
		}
		if i < len(d.Bounds) {
			high = o.number() + " < " + c.Float(d.Bounds[i])
		}
		buckets = append(buckets, c.Count(and(where, low, high)))
	}
	return "[" + strings.Join(buckets, ", ") + "]"
}
