package oracle

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// sketch is a number of distinct operands, of which an estimate is asked for.
type sketch struct {
	n         int
	precision int
}

func distinctOf(d feature.Definition, t feature.Type, events []counted) answer {
	seen := map[string]bool{}
	for _, x := range events {
		seen[x.of.key(t)] = true
	}
	return sketch{len(seen), d.Precision}
}

// SketchSlack returns how far an estimate of n distinct operands may be off: six standard errors. Up to
// 2^precision/4 operands the sketch has 2^11 times as many cells (at most 2^25), and only operands that
// share a cell are missed.
func SketchSlack(n, precision int) float64 {
	if n <= 1<<precision/4 {
		cells := math.Exp2(float64(min(25, precision+11)))
		return math.Ceil(6 * math.Sqrt(float64(n)*float64(n)/(2*cells)))
	}
	return math.Ceil(6 * 1.04 / math.Sqrt(math.Exp2(float64(precision))) * float64(n))
}

func (s sketch) String() string {
	return fmt.Sprintf("%d ± %v", s.n, SketchSlack(s.n, s.precision))
}

func (s sketch) check(got agg.Value) error {
	n, ok := got.Int64()
	if got.Kind() != agg.KindInteger || !ok || math.Abs(float64(n)-float64(s.n)) > SketchSlack(s.n, s.precision) {
		return differs(s, got)
	}
	return nil
}

// top is the keys of a top_k with their counts.
type top struct {
	n      int
	keys   []agg.Counted // all, by count, descending, then by key
	capped int64         // events in tiles with more keys than a tile holds
}

func topOf(d feature.Definition, t feature.Type, events []counted) answer {
	counts := map[string]int64{}
	tiles := map[int64][]counted{}
	for _, x := range events {
		counts[x.of.key(t)]++
		tile := int64(0)
		if d.Window != feature.Lifetime {
			tile = tileStart(int64(x.Event.Time), width(d.Window))
		}
		tiles[tile] = append(tiles[tile], x)
	}
	w := top{n: d.N}
	for key, n := range counts {
		w.keys = append(w.keys, agg.Counted{Key: key, Count: n})
	}
	slices.SortFunc(w.keys, func(a, b agg.Counted) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	for _, events := range tiles {
		seen := map[string]bool{}
		for _, x := range events {
			seen[x.of.key(t)] = true
		}
		if len(seen) > max(32, 4*d.N) {
			w.capped += int64(len(events))
		}
	}
	return w
}

func (w top) String() string {
	return fmt.Sprintf("the first %d of %v (%d events in tiles with too many keys)", w.n, w.keys, w.capped)
}

// check accepts an answer that is exact, or one that says it is not, where a tile has met more keys
// than it holds: its counts are too high by no more than the events of such tiles divided by what a tile
// holds.
func (w top) check(got agg.Value) error {
	g, ok := got.Top()
	if got.Kind() != agg.KindTop || !ok {
		return differs(w, got)
	}
	if g.Exact {
		if !slices.Equal(g.Keys, w.keys[:min(w.n, len(w.keys))]) {
			return differs(w, got)
		}
		return nil
	}
	if w.capped == 0 || len(g.Keys) > w.n {
		return differs(w, got)
	}
	for _, k := range g.Keys {
		i := slices.IndexFunc(w.keys, func(c agg.Counted) bool { return c.Key == k.Key })
		if i < 0 || k.Count < w.keys[i].Count || k.Count > w.keys[i].Count+w.capped/int64(max(32, 4*w.n)) {
			return differs(w, got)
		}
	}
	return nil
}

// interactions is the events of a last_n, latest first.
type interactions []counted

func (w interactions) String() string {
	out := ""
	for _, x := range w {
		out += fmt.Sprintf("(%s of %s at %d, position %d) ", x.Event.Type, x.Event.ItemID, int64(x.Event.Time), x.Seq)
	}
	return out
}

func (w interactions) check(got agg.Value) error {
	list := got.Interactions()
	if got.Kind() != agg.KindInteractions || len(list) != len(w) {
		return differs(w, got)
	}
	for i, g := range list {
		e := w[i].Event
		same := (g.Value == nil) == (e.Value == nil) && (e.Value == nil || *g.Value == *e.Value)
		if g.Item != e.ItemID || g.Type != e.Type || g.Time != int64(e.Time) || g.Seq != w[i].Seq || !same {
			return fmt.Errorf("entry %d: %w", i, differs(w, got))
		}
	}
	return nil
}

// list is the operands of a last_n, latest first.
type list []answer

func (w list) String() string { return fmt.Sprint([]answer(w)) }

func (w list) check(got agg.Value) error {
	values := got.List()
	if got.Kind() != agg.KindList || len(values) != len(w) {
		return differs(w, got)
	}
	for i, v := range values {
		if err := w[i].check(v); err != nil {
			return fmt.Errorf("entry %d of %s: %w", i, got, err)
		}
	}
	return nil
}

// histogram is counts by bucket.
type histogram []int64

func (w histogram) String() string { return fmt.Sprint([]int64(w)) }

func (w histogram) check(got agg.Value) error {
	if got.Kind() != agg.KindHistogram || !slices.Equal(w, got.Histogram()) {
		return differs(w, got)
	}
	return nil
}
