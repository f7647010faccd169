package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWeights(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	w := DefaultWeights()
	for _, c := range []struct {
		kind  string
		value *float64
		want  float64
	}{
		{"view", nil, 1},
		{"purchase", v(99), 5}, // the price of a purchase is no signal of liking
		{"something_else", nil, 1},
		{"rating", v(5), 3},
		{"rating", v(2), 0},
		{"rating", v(-7), 0},
		{"rating", nil, 1}, // the type alone says that the user knows the item
		{"rating", v(1e300), MaxWeight},
	} {
		if got := w.Of(c.kind, c.value); got != c.want {
			t.Errorf("%s %v: %v, want %v", c.kind, c.value, got, c.want)
		}
	}
	if got := (Weights{}).Of("rating", v(4)); got != 0 {
		t.Errorf("no weights: %v", got)
	}
}

// TestWeightsAreUsable lets events and weights be anything finite: training takes every sum of what comes out.
func TestWeightsAreUsable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		finite := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64)
		kind := rapid.SampledFrom([]string{"view", "rating", "other", ""})
		w := Weights{
			ByType:  rapid.MapOf(kind, finite).Draw(t, "by type"),
			Default: finite.Draw(t, "default"), Rating: "rating", RatingZero: finite.Draw(t, "zero"),
		}
		x := w.Of(kind.Draw(t, "kind"), rapid.Ptr(finite, true).Draw(t, "value"))
		if !(x >= 0 && x <= MaxWeight) {
			t.Errorf("weight %v", x)
		}
	})
}
