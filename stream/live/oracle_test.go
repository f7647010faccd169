package live

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// entry is one record of a log as its author knows it: the oracle never decodes anything.
type entry struct {
	partition int32
	offset    int64
	isMark    bool  // carries the mark header
	mark      int64 // its number
	invalid   bool
	event     event.Event
}

// counted is an event that counts, with its place.
type counted struct {
	event     event.Event
	epoch     int64
	partition int32
	offset    int64
}

// oracle is the definition, spelled out over a whole log: slow and obvious. The entries of a
// partition are in the order of their offsets.
type oracle struct {
	log []entry
}

// events returns what counts: valid events that are no duplicates, with their epochs.
func (o *oracle) events() []counted {
	type seen struct {
		id    string
		epoch int64
	}
	var out []counted
	epoch := map[int32]int64{}
	history := map[string][]seen{}
	for _, x := range o.log {
		switch {
		case x.isMark:
			if x.mark == epoch[x.partition]+1 {
				epoch[x.partition] = x.mark
			}
			continue
		case x.invalid:
			continue
		}
		now, past := epoch[x.partition], history[x.event.UserID]
		duplicate := false
		for i := max(0, len(past)-128); i < len(past); i++ {
			if past[i].id == x.event.ID && (past[i].epoch == now || past[i].epoch == now-1) {
				duplicate = true
			}
		}
		history[x.event.UserID] = append(past, seen{x.event.ID, now})
		if !duplicate {
			out = append(out, counted{x.event, now, x.partition, x.offset})
		}
	}
	return out
}

// answer computes a feature by its definition over events of epochs ≥ cut, read at t. who is the
// user or item, "" for the global entity. partition < 0 means all of them.
func (o *oracle) answer(d feature.Definition, who string, partition int32, cut, t int64) string {
	var in []counted
	for _, c := range o.events() {
		mine := d.Entity == feature.Global || d.Entity == feature.User && c.event.UserID == who || d.Entity == feature.Item && c.event.ItemID == who
		typed := len(d.From.Types) == 0 || slices.Contains(d.From.Types, c.event.Type)
		if mine && typed && c.epoch >= cut && (partition < 0 || c.partition == partition) && inWindow(int64(c.event.Time), int64(d.Window), t) {
			in = append(in, c)
		}
	}
	switch d.Aggregate {
	case feature.Count:
		return fmt.Sprint(len(in))
	case feature.DecayedCount:
		return naiveDecay(in, float64(d.HalfLife), t)
	case feature.Last, feature.LastN:
		return naiveLast(in, d)
	case feature.TopK:
		return naiveTop(in, d.N)
	}
	panic("the oracle does not know " + string(d.Aggregate))
}

const (
	minuteMs = 60_000
	hourMs   = 60 * minuteMs
	dayMs    = 24 * hourMs
)

func inWindow(at, window, t int64) bool {
	w := int64(dayMs)
	switch {
	case window < 0:
		return true // lifetime
	case window <= 6*hourMs:
		w = 5 * minuteMs
	case window <= 2*dayMs:
		w = hourMs
	}
	first, last := (t-window)/w, t/w
	return at/w >= first && at/w <= last
}

func naiveDecay(in []counted, halfLife float64, t int64) string {
	sums := map[string]float64{}
	for _, c := range in {
		if category := c.event.Category(); category != "" {
			sums[category] += math.Pow(.5, float64(t-int64(c.event.Time))/halfLife)
		}
	}
	var out []string
	for category, sum := range sums {
		out = append(out, fmt.Sprintf("%s=%.6g", category, sum))
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

func naiveLast(in []counted, d feature.Definition) string {
	sort.Slice(in, func(i, j int) bool {
		a, b := in[i], in[j]
		if a.event.Time != b.event.Time {
			return a.event.Time > b.event.Time
		}
		if a.offset != b.offset {
			return a.offset > b.offset
		}
		return a.partition > b.partition
	})
	if d.Aggregate == feature.Last {
		if len(in) == 0 {
			return "none"
		}
		return in[0].event.ItemID
	}
	var out []string
	for _, c := range in[:min(len(in), d.N)] {
		out = append(out, c.event.Type+":"+c.event.ItemID)
	}
	return strings.Join(out, " ")
}

func naiveTop(in []counted, n int) string {
	counts := map[string]int{}
	for _, c := range in {
		counts[c.event.ItemID]++
	}
	items := make([]string, 0, len(counts))
	for item := range counts {
		items = append(items, item)
	}
	sort.Slice(items, func(i, j int) bool {
		a, b := items[i], items[j]
		return counts[a] > counts[b] || counts[a] == counts[b] && a < b
	})
	var out []string
	for _, item := range items[:min(len(items), n)] {
		out = append(out, fmt.Sprintf("%s=%d", item, counts[item]))
	}
	return strings.Join(out, " ")
}

// render writes an answer of the engines in the oracle's form.
func render(v agg.Value) string {
	switch x := v.(type) {
	case nil:
		return "none"
	case []tile.Group:
		out := make([]string, len(x))
		for i, g := range x {
			out[i] = fmt.Sprintf("%s=%.6g", g.Key, g.Value)
		}
		sort.Strings(out)
		return strings.Join(out, " ")
	case []agg.Interaction:
		out := make([]string, len(x))
		for i, in := range x {
			out[i] = in.Type + ":" + in.Item
		}
		return strings.Join(out, " ")
	case agg.Top:
		out := make([]string, len(x.Keys))
		for i, k := range x.Keys {
			out[i] = fmt.Sprintf("%s=%d", k.Key, k.Count)
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprint(v)
}
