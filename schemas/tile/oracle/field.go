package oracle

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// operand is a field of an event as its type reads it; absent is nil.
type operand struct {
	text  string
	units int64   // of an integer, decimal, boolean or time
	float float64 // of a float
}

// read returns a field of an event.
func read(c feature.Catalogue, name string, e *event.Event) *operand {
	t, ok := c.Type(name)
	if !ok {
		return nil
	}
	return typed(t, raw(name, e))
}

// raw returns a field of an event as JSON has it: nil, string, float64 or bool.
func raw(name string, e *event.Event) any {
	number := func(x *float64) any {
		if x == nil {
			return nil
		}
		return *x
	}
	switch name {
	case "user_id":
		return e.UserID
	case "item_id":
		return e.ItemID
	case "session_id":
		return e.SessionID
	case "type":
		return e.Type
	case "event_time":
		return float64(e.Time)
	case "value":
		return number(e.Value)
	case "price":
		if e.Stamp == nil {
			return nil
		}
		return number(e.Stamp.Price)
	case "category":
		if e.Stamp == nil || e.Stamp.Category == nil {
			return nil
		}
		return *e.Stamp.Category
	}
	if key, ok := strings.CutPrefix(name, "context."); ok {
		if s, ok := e.Context[key]; ok {
			return s
		}
		return nil
	}
	return e.Properties[strings.TrimPrefix(name, "properties.")]
}

// typed reads a value as a type does. A value of another type, an empty text and a number that the type
// cannot hold are absent.
func typed(t feature.Type, v any) *operand {
	switch v := v.(type) {
	case string:
		if t.Kind == feature.Text && v != "" {
			return &operand{text: v}
		}
	case bool:
		if t.Kind == feature.Boolean {
			if v {
				return &operand{units: 1}
			}
			return &operand{}
		}
	case float64:
		switch t.Kind {
		case feature.Float:
			if v == 0 {
				v = 0 // there is no negative zero
			}
			return &operand{float: v}
		case feature.Integer, feature.Decimal, feature.Time:
			if n, ok := units(t, v); ok {
				return &operand{units: n}
			}
		}
	}
	return nil
}

// units returns x·10^scale, in float64 and rounded half away from zero. An integer or a time is not
// rounded: a fraction is absent, as is what reaches 2^53.
func units(t feature.Type, x float64) (int64, bool) {
	if t.Kind == feature.Decimal {
		x *= [...]float64{1, 10, 100, 1000, 10_000, 100_000, 1_000_000}[t.Scale]
		whole, fraction := math.Modf(x)
		switch {
		case fraction >= 0.5:
			whole++
		case fraction <= -0.5:
			whole--
		}
		x = whole
	}
	if math.Abs(x) >= 9007199254740992 || x != math.Floor(x) {
		return 0, false
	}
	return int64(x), true
}

// exact returns the number that an operand of a numeric type is.
func (o *operand) exact(t feature.Type) *big.Rat {
	if t.Kind == feature.Float {
		return new(big.Rat).SetFloat64(o.float)
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)
	return new(big.Rat).SetFrac(big.NewInt(o.units), ten)
}

// key returns an operand as top_k and distinct tell operands apart: a text as it is, of numbers the
// digits of their units.
func (o *operand) key(t feature.Type) string {
	if t.Kind == feature.Text {
		return o.text
	}
	return strconv.FormatInt(o.units, 10)
}

// takes reports whether a filter takes an event.
func takes(c feature.Catalogue, f feature.Filter, e *event.Event) bool {
	typeFits := len(f.Types) == 0
	for _, t := range f.Types {
		typeFits = typeFits || t == e.Type
	}
	if !typeFits {
		return false
	}
	for _, w := range f.Where {
		if !holds(c, w, e) {
			return false
		}
	}
	return true
}

// holds judges a condition. On an absent field it is false, whatever the comparison.
func holds(c feature.Catalogue, w feature.Condition, e *event.Event) bool {
	t, _ := c.Type(w.Field)
	o := read(c, w.Field, e)
	if o == nil {
		return false
	}
	if w.Op == feature.In {
		for _, l := range w.Values {
			if compare(t, o, l) == 0 {
				return true
			}
		}
		return false
	}
	n := compare(t, o, w.Values[0])
	return map[feature.Op]bool{
		feature.Eq: n == 0, feature.Ne: n != 0, feature.Lt: n < 0, feature.Le: n <= 0, feature.Gt: n > 0, feature.Ge: n >= 0,
	}[w.Op]
}

// compare orders an operand and a literal.
func compare(t feature.Type, o *operand, l feature.Literal) int {
	switch t.Kind {
	case feature.Text:
		return cmp.Compare(o.text, l.Text)
	case feature.Float:
		return cmp.Compare(o.float, l.Number)
	case feature.Boolean, feature.Time:
		return cmp.Compare(o.units, int64(l.Number))
	}
	n, _ := units(t, l.Number) // of a valid literal it is exact
	return cmp.Compare(o.units, n)
}
