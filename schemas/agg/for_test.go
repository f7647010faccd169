package agg_test

import (
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// TestForRefuses: there is a monoid for exactly what the catalogue's validation accepts.
func TestForRefuses(t *testing.T) {
	for _, a := range []feature.Aggregate{feature.Sum, feature.Mean, feature.Min, feature.Max, feature.DecayedSum, feature.Histogram, "median", ""} {
		if _, err := agg.For(feature.Definition{Name: "f", Aggregate: a}, feature.Type{Kind: feature.Text}); err == nil {
			t.Errorf("%q of a text has a monoid", a)
		}
	}
}

// TestSharing: features share partials where their keys are equal, and only where they may.
func TestSharing(t *testing.T) {
	key := func(d feature.Definition, k feature.Kind) string {
		m, err := agg.For(d, feature.Type{Kind: k})
		if err != nil {
			t.Fatal(err)
		}
		return m.Key()
	}
	d := func(a feature.Aggregate, n, precision int, halfLife feature.Window) feature.Definition {
		return feature.Definition{Aggregate: a, N: n, Precision: precision, HalfLife: halfLife, Bounds: []float64{float64(n)}}
	}
	same := [][2]string{
		{key(d(feature.Sum, 0, 0, 0), feature.Integer), key(d(feature.Mean, 0, 0, 0), feature.Integer)},
		{key(d(feature.Sum, 0, 0, 0), feature.Float), key(d(feature.Mean, 0, 0, 0), feature.Float)},
		{key(d(feature.TopK, 3, 0, 0), feature.Text), key(d(feature.TopK, 8, 0, 0), feature.Text)},
	}
	for _, k := range same {
		if k[0] != k[1] {
			t.Errorf("%s and %s could be shared", k[0], k[1])
		}
	}
	apart := map[string]bool{}
	others := []string{
		key(d(feature.Sum, 0, 0, 0), feature.Integer), key(d(feature.Sum, 0, 0, 0), feature.Float), key(d(feature.Count, 0, 0, 0), feature.Text),
		key(d(feature.LastN, 1, 0, 0), feature.Text), key(d(feature.LastN, 2, 0, 0), feature.Text), key(d(feature.LastN, 2, 0, 0), feature.Float),
		key(d(feature.TopK, 8, 0, 0), feature.Text), key(d(feature.TopK, 9, 0, 0), feature.Text),
		key(d(feature.Distinct, 0, 4, 0), feature.Text), key(d(feature.Distinct, 0, 14, 0), feature.Text),
		key(d(feature.DecayedCount, 0, 0, 1), feature.Text), key(d(feature.DecayedCount, 0, 0, 2), feature.Text), key(d(feature.DecayedSum, 0, 0, 2), feature.Float),
		key(d(feature.Histogram, 1, 0, 0), feature.Float), key(d(feature.Histogram, 2, 0, 0), feature.Float),
		key(d(feature.Min, 0, 0, 0), feature.Float), key(d(feature.Max, 0, 0, 0), feature.Float),
		key(d(feature.First, 0, 0, 0), feature.Float), key(d(feature.Last, 0, 0, 0), feature.Float), key(d(feature.Ratio, 0, 0, 0), feature.Float),
	}
	for _, k := range others {
		if apart[k] {
			t.Errorf("two different partials have the key %s", k)
		}
		apart[k] = true
	}
}
