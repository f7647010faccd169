package agg

import (
	"cmp"
	"math"
	"math/big"
	"time"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ValueKind says what a Value holds.
type ValueKind uint8

// The kinds of answers.
const (
	KindNull ValueKind = iota // nothing yet
	KindInteger
	KindDecimal
	KindFloat
	KindText
	KindBoolean
	KindTime // Unix ms
	KindTop
	KindInteractions
	KindList
	KindHistogram
	KindGroups
)

// Value is the answer of a feature. Texts and lists may lie in memory of whoever made the value.
type Value struct {
	kind  ValueKind
	scale uint8
	hi    int64  // high half of integers and decimals
	lo    uint64 // low half; the bits of a float
	text  string
	list  any // pointer to the slice of the kind
}

// Counted is a key with its count.
type Counted struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
}

// Top is the answer of top_k. Exact is false when a tile met more distinct keys than it may hold, so
// that counts may be too high and rare keys missing.
type Top struct {
	Keys  []Counted `json:"keys"` // by count, descending, then by key
	Exact bool      `json:"exact"`
}

// Interaction is one entry of last_n of interactions: what a user did to an item.
type Interaction struct {
	Item  string   `json:"item_id"`
	Type  string   `json:"type"`
	Value *float64 `json:"value,omitempty"`
	Time  int64    `json:"time"` // event time, Unix ms
	Seq   int64    `json:"-"`
}

// Group is the answer of a grouped feature for one value of its attribute.
type Group struct {
	Key   string `json:"key"`
	Value Value  `json:"value"`
}

// Null is the answer of a feature that has seen nothing it could answer from.
var Null = Value{}

// IntegerValue returns an integer.
func IntegerValue(n int64) Value { return Value{kind: KindInteger, hi: n >> 63, lo: uint64(n)} }

// FloatValue returns a float; what is not finite is Null.
func FloatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Null
	}
	return Value{kind: KindFloat, lo: math.Float64bits(f)}
}

// TextValue returns a text.
func TextValue(s string) Value { return Value{kind: KindText, text: s} }

// BooleanValue returns true or false.
func BooleanValue(b bool) Value {
	v := Value{kind: KindBoolean}
	if b {
		v.lo = 1
	}
	return v
}

// HistogramValue returns counts by bucket.
func HistogramValue(counts *[]int64) Value { return Value{kind: KindHistogram, list: counts} }

// GroupsValue returns groups in the order given.
func GroupsValue(groups *[]Group) Value { return Value{kind: KindGroups, list: groups} }

// InteractionsValue returns the answer of last_n of interactions.
func InteractionsValue(list *[]Interaction) Value { return Value{kind: KindInteractions, list: list} }

// TopValue returns the answer of top_k.
func TopValue(t *Top) Value { return Value{kind: KindTop, list: t} }

// Kind returns what the value holds.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull reports whether there is no answer.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Int64 returns an integer, boolean or time as a number, or the units of a decimal; ok is false for
// everything else and where 64 bits do not suffice.
func (v Value) Int64() (n int64, ok bool) {
	switch v.kind {
	case KindInteger, KindDecimal, KindBoolean, KindTime:
		return int64(v.lo), v.hi == int64(v.lo)>>63
	}
	return 0, false
}

// Float64 returns a number, whatever its kind.
func (v Value) Float64() (f float64, ok bool) {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.lo), true
	case KindInteger, KindBoolean, KindTime:
		if n, fits := v.Int64(); fits {
			return float64(n), true
		}
		f, _ = new(big.Float).SetInt(v.big()).Float64()
		return f, true
	case KindDecimal:
		den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.scale)), nil)
		f, _ = new(big.Rat).SetFrac(v.big(), den).Float64()
		return f, true
	}
	return 0, false
}

// Text returns a text.
func (v Value) Text() (string, bool) { return v.text, v.kind == KindText }

// Top returns the answer of top_k.
func (v Value) Top() (Top, bool) {
	t, ok := v.list.(*Top)
	if !ok {
		return Top{}, false
	}
	return *t, true
}

// Interactions returns the answer of last_n of interactions, latest first.
func (v Value) Interactions() []Interaction { return listOf[Interaction](v) }

// List returns the answer of last_n of a field, latest first.
func (v Value) List() []Value { return listOf[Value](v) }

// Histogram returns counts by bucket.
func (v Value) Histogram() []int64 { return listOf[int64](v) }

// Groups returns the answer of a grouped feature, largest value first.
func (v Value) Groups() []Group { return listOf[Group](v) }

func listOf[T any](v Value) []T {
	if l, ok := v.list.(*[]T); ok {
		return *l
	}
	return nil
}

// big returns the integer, or the units of a decimal.
func (v Value) big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(v.hi), 64)
	return b.Add(b, new(big.Int).SetUint64(v.lo))
}

// String returns the value's JSON.
func (v Value) String() string {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// MarshalJSONTo writes numbers in full (decimals as their digits, never as a rounded float), times as
// RFC 3339, lists as arrays and no answer as null.
func (v Value) MarshalJSONTo(e *jsontext.Encoder) error {
	switch v.kind {
	case KindNull:
		return e.WriteToken(jsontext.Null)
	case KindFloat:
		return e.WriteToken(jsontext.Float(math.Float64frombits(v.lo)))
	case KindText:
		return e.WriteToken(jsontext.String(v.text))
	case KindBoolean:
		return e.WriteToken(jsontext.Bool(v.lo != 0))
	case KindTime:
		return e.WriteToken(jsontext.String(time.UnixMilli(int64(v.lo)).UTC().Format("2006-01-02T15:04:05.000Z07:00")))
	case KindInteger:
		if n, ok := v.Int64(); ok {
			return e.WriteToken(jsontext.Int(n))
		}
		return e.WriteValue(jsontext.Value(v.big().String()))
	case KindDecimal:
		return e.WriteValue(jsontext.Value(v.decimal()))
	}
	return json.MarshalEncode(e, v.list)
}

// decimal returns the digits of a decimal.
func (v Value) decimal() string {
	digits := v.big()
	sign := ""
	if digits.Sign() < 0 {
		sign = "-"
		digits.Abs(digits)
	}
	s := digits.String()
	for len(s) <= int(v.scale) {
		s = "0" + s
	}
	point := len(s) - int(v.scale)
	return sign + s[:point] + "." + s[point:]
}

// outcome turns what monoids hold into values of a field's type.
type outcome struct{ feature.Type }

func (o outcome) float() bool { return o.Kind == feature.Float }
func (o outcome) text() bool  { return o.Kind == feature.Text }

// key names the representation.
func (o outcome) key() string {
	switch {
	case o.text():
		return "text"
	case o.float():
		return "float"
	}
	return "int"
}

// operandKind returns what operands of the type hold.
func (o outcome) operandKind() Kind {
	switch {
	case o.text():
		return Text
	case o.float():
		return Float
	}
	return Int
}

// integer returns a 128-bit integer as a value of the type.
func (o outcome) integer(hi int64, lo uint64) Value {
	v := Value{kind: KindInteger, hi: hi, lo: lo}
	switch o.Kind {
	case feature.Decimal:
		v.kind, v.scale = KindDecimal, uint8(o.Scale)
	case feature.Boolean:
		v.kind = KindBoolean
	case feature.Time:
		v.kind = KindTime
	}
	return v
}

// value returns an operand as a value of the type.
func (o outcome) value(x Operand) Value {
	switch x.Kind {
	case Int:
		return o.integer(x.Int>>63, uint64(x.Int))
	case Float:
		return FloatValue(x.Float)
	case Text:
		return TextValue(x.Text)
	}
	return Null
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6}

// number returns a numeric operand as a float.
func (o outcome) number(x Operand) float64 {
	if x.Kind == Float {
		return x.Float
	}
	if o.Kind == feature.Decimal {
		return float64(x.Int) / tens[o.Scale]
	}
	return float64(x.Int)
}

// CompareNumbers orders numbers of one kind; what is no number comes first.
func CompareNumbers(a, b *Value) int {
	if a.kind == KindFloat && b.kind == KindFloat {
		return cmp.Compare(math.Float64frombits(a.lo), math.Float64frombits(b.lo))
	}
	if a.kind != b.kind {
		f, isA := a.Float64()
		g, isB := b.Float64()
		if isA != isB {
			return cmp.Compare(boolean(isA), boolean(isB))
		}
		return cmp.Compare(f, g)
	}
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
