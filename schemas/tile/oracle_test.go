package tile_test

import (
	"math"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// logged is an event with the place in the log that the oracle needs.
type logged struct {
	event  event.Event
	epoch  int64
	offset int64
}

// oracle answers a feature with the sentence of DESIGN §3 and a loop: all distinct events whose tile
// lies between the one that contains t − W and the one that contains t.
func oracle(d feature.Definition, log []logged, t int64) agg.Value {
	var in []logged
	for i, l := range log {
		if d.Takes(l.event.Type) && !duplicate(log[:i], l) && inWindow(d.Window, int64(l.event.Time), t) {
			in = append(in, l)
		}
	}
	switch d.Aggregate {
	case feature.Count:
		return int64(len(in))
	case feature.DecayedCount:
		return oracleGroups(d, in, t)
	case feature.TopK:
		return oracleTop(d, in)
	}
	slices.SortStableFunc(in, func(a, b logged) int {
		if a.event.Time != b.event.Time {
			return int(b.event.Time - a.event.Time)
		}
		return int(b.offset - a.offset)
	})
	if d.Aggregate == feature.Last {
		if len(in) == 0 {
			return nil
		}
		return in[0].event.ItemID
	}
	var items []string
	for _, l := range in[:min(d.N, len(in))] {
		items = append(items, l.event.ItemID)
	}
	return items
}

func duplicate(before []logged, l logged) bool {
	for i := max(0, len(before)-tile.RecentCap); i < len(before); i++ {
		if b := before[i]; b.event.ID == l.event.ID && b.epoch >= l.epoch-1 {
			return true
		}
	}
	return false
}

func inWindow(w feature.Window, e, t int64) bool {
	if w == feature.Lifetime {
		return true
	}
	floor := func(x int64) int64 { return int64(math.Floor(float64(x) / float64(w.Tile()))) }
	return floor(e) >= floor(t-int64(w)) && floor(e) <= floor(t)
}

func oracleGroups(d feature.Definition, in []logged, t int64) map[string]float64 {
	out := map[string]float64{}
	for _, l := range in {
		if c := l.event.Category(); c != "" {
			out[c] += math.Exp2(-float64(t-int64(l.event.Time)) / float64(d.HalfLife))
		}
	}
	return out
}

func oracleTop(d feature.Definition, in []logged) []agg.Counted {
	counts := map[string]int64{}
	for _, l := range in {
		counts[l.event.ItemID]++
	}
	var out []agg.Counted
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
