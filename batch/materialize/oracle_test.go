package materialize_test

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// distinct drops duplicates with the sentence of DESIGN §3 and loops.
func distinct(log []batchtest.Logged) []batchtest.Logged {
	byUser := map[string][]batchtest.Logged{}
	var out []batchtest.Logged
	for _, l := range log {
		before := byUser[l.Event.UserID]
		byUser[l.Event.UserID] = append(before, l)
		if !slices.ContainsFunc(before[max(0, len(before)-tile.RecentCap):], func(o batchtest.Logged) bool {
			return o.Event.ID == l.Event.ID && o.Epoch >= l.Epoch-1
		}) {
			out = append(out, l)
		}
	}
	return out
}

// answer computes a feature over distinct events with a loop: those whose tile lies between the one
// that contains t − W and the one that contains t.
func answer(d feature.Definition, events []batchtest.Logged, t int64) any {
	var in []batchtest.Logged
	for _, l := range events {
		if d.Takes(l.Event.Type) && inWindow(d.Window, int64(l.Event.Time), t) {
			in = append(in, l)
		}
	}
	switch d.Aggregate {
	case feature.Count:
		return int64(len(in))
	case feature.DecayedCount:
		sums := map[string]float64{}
		for _, l := range in {
			if c := l.Event.Category(); c != "" {
				sums[c] += math.Exp2(-float64(t-int64(l.Event.Time)) / float64(d.HalfLife))
			}
		}
		return sums
	case feature.TopK:
		return top(d, in)
	}
	slices.SortFunc(in, func(a, b batchtest.Logged) int {
		return cmp.Or(cmp.Compare(b.Event.Time, a.Event.Time), cmp.Compare(b.Seq, a.Seq))
	})
	items := []string{}
	for _, l := range in[:min(max(d.N, 1), len(in))] {
		items = append(items, l.Event.ItemID)
	}
	return items
}

func inWindow(w feature.Window, e, t int64) bool {
	if w == feature.Lifetime {
		return true
	}
	tileOf := func(x int64) float64 { return math.Floor(float64(x) / float64(w.Tile())) }
	return tileOf(e) >= tileOf(t-int64(w)) && tileOf(e) <= tileOf(t)
}

func top(d feature.Definition, in []batchtest.Logged) []agg.Counted {
	counts := map[string]int64{}
	for _, l := range in {
		counts[l.Event.ItemID]++
	}
	out := []agg.Counted{}
	for k, n := range counts {
		out = append(out, agg.Counted{Key: k, Count: n})
	}
	slices.SortFunc(out, func(a, b agg.Counted) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out[:min(d.N, len(out))]
}

// comparable turns what a view answers into what the oracle answers.
func comparable(v agg.Value) any {
	switch v.Kind() {
	case agg.KindNull:
		return []string{}
	case agg.KindText:
		text, _ := v.Text()
		return []string{text}
	case agg.KindInteractions:
		items := []string{}
		for _, i := range v.Interactions() {
			items = append(items, i.Item)
		}
		return items
	case agg.KindGroups:
		sums := map[string]float64{}
		for _, g := range v.Groups() {
			sums[g.Key], _ = g.Value.Float64()
		}
		return sums
	case agg.KindTop:
		top, _ := v.Top()
		return slices.Clone(append([]agg.Counted{}, top.Keys...))
	}
	n, _ := v.Int64()
	return n
}
