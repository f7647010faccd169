package tile_test

import (
	"math"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// TestSeriesAreShared: features share a series where they keep the same of the same events, and only
// there.
func TestSeriesAreShared(t *testing.T) {
	views, carts := feature.Filter{Types: []string{"view"}}, feature.Filter{Types: []string{"cart"}}
	dear := feature.Filter{Types: []string{"view"}, Where: []feature.Condition{{Field: "price", Op: feature.Gt, Values: []feature.Literal{{Number: 5}}}}}
	sum := feature.Definition{Aggregate: feature.Sum, Of: "price", From: views, Window: 7 * feature.Day}
	ratio := feature.Definition{Aggregate: feature.Ratio, From: views, Numerator: &dear, Window: 7 * feature.Day}
	with := func(d feature.Definition, change func(*feature.Definition)) feature.Definition {
		change(&d)
		return d
	}
	for name, x := range map[string]struct {
		a, b   feature.Definition
		shared bool
	}{
		"another window of the same tile": {sum, with(sum, func(d *feature.Definition) { d.Window = 30 * feature.Day }), true},
		"another tile":                    {sum, with(sum, func(d *feature.Definition) { d.Window = feature.Hour }), false},
		"sum and mean":                    {sum, with(sum, func(d *feature.Definition) { d.Aggregate = feature.Mean }), true},
		"another field":                   {sum, with(sum, func(d *feature.Definition) { d.Of = "value" }), false},
		"another filter":                  {sum, with(sum, func(d *feature.Definition) { d.From = carts }), false},
		"a condition more":                {sum, with(sum, func(d *feature.Definition) { d.From = dear }), false},
		"groups":                          {sum, with(sum, func(d *feature.Definition) { d.By = "category" }), false},
		"another numerator":               {ratio, with(ratio, func(d *feature.Definition) { d.Numerator = &carts }), false},
		"a denominator":                   {ratio, with(ratio, func(d *feature.Definition) { d.Denominator = &views }), false},
	} {
		x.a.Name, x.b.Name, x.a.Entity, x.b.Entity = "a", "b", feature.User, feature.User
		p, err := tile.Compile(feature.Catalogue{Features: []feature.Definition{x.a, x.b}}, feature.User)
		if err != nil {
			t.Fatal(err)
		}
		if shared := p.Features[0].Series == p.Features[1].Series; shared != x.shared {
			t.Errorf("%s: shared %v, want %v", name, shared, x.shared)
		}
		if w := max(x.a.Window, x.b.Window); x.shared && p.Series[0].Window != w {
			t.Errorf("%s: the series is kept for %s, want %s", name, p.Series[0].Window, w)
		}
	}
}

// TestNumberOperand holds how numbers are read to the sentences of the field types.
func TestNumberOperand(t *testing.T) {
	decimal := feature.Type{Kind: feature.Decimal, Scale: 2}
	integer := feature.Type{Kind: feature.Integer}
	for _, x := range []struct {
		t     feature.Type
		x     float64
		units int64
		ok    bool
	}{
		{decimal, 1.5, 150, true},
		{decimal, 0.125, 13, true}, // half away from zero
		{decimal, -0.125, -13, true},
		{decimal, 1.005, 100, true}, // in float64 it is below the half
		{decimal, 90071992547409.91, 1<<53 - 1, true},
		{decimal, 90071992547409.92, 0, false},
		{integer, 4, 4, true},
		{integer, 4.5, 0, false},
		{integer, 1<<53 - 1, 1<<53 - 1, true},
		{integer, 1 << 53, 0, false},
		{integer, math.Inf(-1), 0, false},
		{decimal, math.NaN(), 0, false},
	} {
		o := tile.NumberOperand(x.t, x.x)
		if (o.Kind == agg.Int) != x.ok || o.Int != x.units {
			t.Errorf("%v as %s: %+v, want %d, %v", x.x, x.t, o, x.units, x.ok)
		}
	}
	float := feature.Type{Kind: feature.Float}
	if o := tile.NumberOperand(float, math.Copysign(0, -1)); o.Kind != agg.Float || math.Signbit(o.Float) {
		t.Errorf("-0 as a float: %+v, want 0", o)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		if o := tile.NumberOperand(float, x); o.Kind != agg.Absent {
			t.Errorf("%v as a float: %+v, want nothing", x, o)
		}
	}
}
