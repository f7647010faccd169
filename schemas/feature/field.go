package feature

import (
	"fmt"
	"math"
	"strings"
)

// Kind is how the values of a field are read.
type Kind string

// The kinds.
const (
	Text    Kind = "text"
	Integer Kind = "integer" // whole numbers, |x| < 2^53
	Decimal Kind = "decimal" // whole numbers of 10^-Scale, |units| < 2^53
	Float   Kind = "float"   // float64, finite
	Boolean Kind = "boolean" // 0 or 1
	Time    Kind = "time"    // Unix ms, UTC
)

// Type is the type of a field. Scale is the number of decimal places of a Decimal, 1 to 6, else 0.
type Type struct {
	Kind  Kind
	Scale int
}

// maxUnits is where float64 stops telling neighbouring whole numbers apart.
const maxUnits = 1 << 53

// Units returns x as the whole number that an Integer or a Decimal field stands for: x itself, or
// x·10^Scale rounded half away from zero, computed in float64. It returns false for what such a
// field cannot hold, which is absent: NaN, infinities, |units| ≥ 2^53, and a fraction in an Integer.
func (t Type) Units(x float64) (int64, bool) {
	u := x
	if t.Kind == Decimal {
		u = math.Round(x * math.Pow10(t.Scale))
	}
	if !(math.Abs(u) < maxUnits) || u != math.Trunc(u) {
		return 0, false
	}
	return int64(u), true
}

// String returns the type as features.yaml writes it, such as decimal(2).
func (t Type) String() string {
	if t.Kind == Decimal {
		return fmt.Sprintf("decimal(%d)", t.Scale)
	}
	return string(t.Kind)
}

// ParseType reads text, integer, decimal(1) … decimal(6), float, boolean or time.
func ParseType(s string) (Type, error) {
	switch k := Kind(s); k {
	case Text, Integer, Float, Boolean, Time:
		return Type{Kind: k}, nil
	}
	if d, ok := strings.CutPrefix(s, "decimal("); ok && len(d) == 2 && d[0] >= '1' && d[0] <= '6' && d[1] == ')' {
		return Type{Kind: Decimal, Scale: int(d[0] - '0')}, nil
	}
	return Type{}, fmt.Errorf("type %q: accepted are text, integer, decimal(1) to decimal(6), float, boolean and time", s)
}

// builtIn is the type of the fields that every event has a place for.
var builtIn = map[string]Type{
	"user_id":    {Kind: Text},
	"item_id":    {Kind: Text},
	"type":       {Kind: Text},
	"session_id": {Kind: Text},
	"category":   {Kind: Text},
	"event_time": {Kind: Time},
	"value":      {Kind: Float},
	"price":      {Kind: Float},
}

// Type returns the type of a field: as declared in Fields, else as built in.
func (c Catalogue) Type(field string) (Type, bool) {
	if t, ok := c.Fields[field]; ok {
		return t, true
	}
	t, ok := builtIn[field]
	return t, ok
}
