//go:build integration

package sqltest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// check says what is wrong with an engine's answer. The oracle's bounds for floats are those of our own
// sums; an engine that just adds up may be off by n·2^-51·Σ|x|, so a value that near is taken for the
// oracle's own before it judges.
func check(c feature.Catalogue, d feature.Definition, events []oracle.Record, at int64, got agg.Value) error {
	want := oracle.Answer(c, d, events, at)
	err := want.Check(got)
	t, _ := c.Type(d.Of)
	decayed := d.Aggregate == feature.DecayedCount || d.Aggregate == feature.DecayedSum
	if err == nil || !decayed && d.Aggregate != feature.Mean && (d.Aggregate != feature.Sum || t.Kind != feature.Float) {
		return err
	}
	off := slack(d, events, at)
	if math.IsInf(off, 1) {
		return nil // a sum that leaves the range of floats on its way
	}
	if d.By == "" {
		return want.Check(snap(want, got, off))
	}
	groups := slices.Clone(got.Groups())
	for i, g := range groups {
		one := d
		one.By = ""
		one.From.Where = append(slices.Clone(d.From.Where), feature.Condition{Field: d.By, Op: feature.Eq, Values: []feature.Literal{{Text: g.Key}}})
		groups[i].Value = snap(oracle.Answer(c, one, events, at), g.Value, off)
	}
	slices.SortFunc(groups, func(a, b agg.Group) int {
		if n := agg.CompareNumbers(&b.Value, &a.Value); n != 0 {
			return n
		}
		return strings.Compare(a.Key, b.Key)
	})
	return want.Check(agg.GroupsValue(&groups))
}

// snap returns the float that the oracle holds for right, if got is near it.
func snap(want oracle.Want, got agg.Value, off float64) agg.Value {
	var right, its float64
	if n, err := fmt.Sscanf(want.String(), "%g ± %g", &right, &its); n < 2 || err != nil {
		return got
	}
	if f, ok := got.Float64(); ok && math.Abs(f-right) <= off+math.Abs(right)*0x1p-51 {
		return agg.FloatValue(right)
	}
	return got
}

// slack is how far floats that are added up in any order may be off; infinite where that may overflow.
func slack(d feature.Definition, events []oracle.Record, at int64) float64 {
	sum := 0.0
	for _, r := range events {
		x := magnitude(d.Of, r)
		if d.HalfLife > 0 { // an event after the instant is worth more than it was
			x *= math.Exp2(math.Max(0, float64(int64(r.Event.Time)-at)/float64(d.HalfLife)))
		}
		sum += x
	}
	if sum > math.MaxFloat64/4 {
		return math.Inf(1)
	}
	return float64(len(events)+8) * 0x1p-51 * sum
}

// magnitude is the absolute value of what a field adds to a sum at most.
func magnitude(field string, r oracle.Record) float64 {
	var x any = 1.0
	switch name, property := strings.CutPrefix(field, "properties."); {
	case property:
		x = r.Event.Properties[name]
	case field == "value" && r.Event.Value != nil:
		x = *r.Event.Value
	case field == "price" && r.Event.Stamp != nil && r.Event.Stamp.Price != nil:
		x = *r.Event.Stamp.Price
	}
	if f, ok := x.(float64); ok {
		return math.Abs(f)
	}
	return 1
}
