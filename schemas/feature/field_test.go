package feature

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestUnits(t *testing.T) {
	for _, c := range []struct {
		of   Type
		x    float64
		want int64
		ok   bool
	}{
		{Type{Kind: Integer}, 3, 3, true},
		{Type{Kind: Integer}, 3.5, 0, false},
		{Type{Kind: Integer}, -(1<<53 - 1), -(1<<53 - 1), true},
		{Type{Kind: Integer}, 1 << 53, 0, false},
		{Type{Decimal, 2}, 4.55, 455, true},
		{Type{Decimal, 2}, 0.125, 13, true}, // half away from zero
		{Type{Decimal, 2}, -0.125, -13, true},
		{Type{Decimal, 2}, 1e14, 0, false},
		{Type{Decimal, 6}, math.Inf(1), 0, false},
		{Type{Integer, 0}, math.NaN(), 0, false},
	} {
		if got, ok := c.of.Units(c.x); got != c.want || ok != c.ok {
			t.Errorf("%v as %s: %d, %v, want %d, %v", c.x, c.of, got, ok, c.want, c.ok)
		}
	}
}

// Below 2^51 units the two roundings of u / 10^s · 10^s add up to less than half a unit, so that a
// decimal that is written down is compared as what it says.
func TestEveryDecimalOfTheScaleIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := Type{Decimal, rapid.IntRange(1, 6).Draw(t, "scale")}
		units := rapid.Int64Range(-1<<51, 1<<51).Draw(t, "units")
		l, err := of.literal(of.format(Literal{Number: of.value(units)}))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := of.Units(l.Number); !ok || got != units {
			t.Fatalf("%d units of %s became %d, %v", units, of, got, ok)
		}
	})
}

func TestConditionsReadBack(t *testing.T) {
	printable := rapid.StringOfN(rapid.RuneFrom([]rune(`ab'"\ ,[]<>=!é世`+"\n\t")), 1, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		l := Literal{Text: printable.Draw(t, "text")}
		text := Type{Kind: Text}
		if got, err := text.literal(text.format(l)); err != nil || got != l {
			t.Fatalf("%q became %q, %v", l.Text, got.Text, err)
		}
		values, err := operands(In, Condition{Op: In, Field: "f", Values: []Literal{l, {Text: "z"}}}.Format(text)[len("f in "):])
		if err != nil || len(values) != 2 || values[1] != "z" {
			t.Fatalf("%q in a list became %q, %v", l.Text, values, err)
		}
	})
}
