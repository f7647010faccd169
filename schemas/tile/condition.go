package tile

import (
	"cmp"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// holds judges a condition on a field of type t. On an absent field every condition is false.
func holds(t feature.Type, c *feature.Condition, o *agg.Operand) bool {
	switch o.Kind {
	case agg.Absent:
		return false
	case agg.Text:
		return oneOf(c, func(l feature.Literal) int { return equal(o.Text == l.Text) })
	case agg.Float:
		return oneOf(c, func(l feature.Literal) int { return cmp.Compare(o.Float, l.Number) })
	}
	return oneOf(c, func(l feature.Literal) int {
		if t.Kind == feature.Integer || t.Kind == feature.Decimal {
			if n, ok := t.Units(l.Number); ok {
				return cmp.Compare(o.Int, n)
			}
		}
		return cmp.Compare(float64(o.Int), l.Number)
	})
}

// equal is 0 for equal texts, as comparing them would be.
func equal(same bool) int {
	if same {
		return 0
	}
	return 1
}

// oneOf applies the operator to how the operand compares with the literals.
func oneOf(c *feature.Condition, compare func(feature.Literal) int) bool {
	if c.Op == feature.In {
		for _, l := range c.Values {
			if compare(l) == 0 {
				return true
			}
		}
		return false
	}
	switch n := compare(c.Values[0]); c.Op {
	case feature.Eq:
		return n == 0
	case feature.Ne:
		return n != 0
	case feature.Lt:
		return n < 0
	case feature.Le:
		return n <= 0
	case feature.Gt:
		return n > 0
	default:
		return n >= 0
	}
}
