package tile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/schemas/agg"
)

// nest is the features that read one series: they differ in their windows alone, shortest first. Their tiles
// are folded once: since tiles come newest first, what a window takes is the beginning of what the next
// longer one takes.
type nest struct {
	series   int
	features []int
	pending  []int // the features that take what is summed when their windows end
	memory   []int // for pending
	run      agg.Run

	sum    agg.Partial
	groups *groups // instead of sum, where the series is grouped
}

// newNests returns the nests of a plan, those of grouped features being given.
func newNests(p *Plan, grouped []*groups) (out []nest) {
	bySeries := make([][]int, len(p.Series))
	for i, f := range p.Features {
		bySeries[f.Series] = append(bySeries[f.Series], i)
	}
	for s, list := range bySeries {
		if len(list) == 0 {
			continue
		}
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(p.Features[a].Def.Window, p.Features[b].Def.Window) })
		n := nest{series: s, features: list}
		switch {
		case p.Series[s].By < 0:
			n.run, _ = p.Features[list[0]].Monoid.(agg.Run)
		case len(list) > 1:
			n.groups = &groups{index: map[string]int32{}}
		default:
			n.groups = grouped[list[0]]
		}
		out = append(out, n)
	}
	return out
}

// foldNest adds the tiles of a series that the windows of a nest take.
func (r *Reader) foldNest(n *nest, h *header) {
	d, m, to := &r.decoder, r.monoids[n.features[0]], r.windows[n.features[0]].to
	d.B = h.body
	t, left := h.newest, h.tiles
	for ; left > 0 && t > to && d.Err == nil; left-- { // tiles after the instant
		n.skip(m, d)
		t = older(d, t, left-1)
	}
	if !r.begin(n, t) {
		return
	}
	w := &r.windows[n.pending[0]]
	for left > 0 && d.Err == nil {
		switch {
		case t < w.from:
			if w = r.take(n, m); w == nil {
				return
			}
			continue
		case n.run != nil:
			t, left = n.run.FoldRun(r.sum(n), d, t, w.from, left)
			continue
		case n.groups != nil:
			n.groups.fold(d, m, w.scaleOf(t))
		case w.enough(r.sum(n), t):
			left = 0
			continue
		default:
			d.Last = left == 1
			m.Fold(r.sum(n), d, w.scaleOf(t))
			d.Last = false
		}
		left--
		t = older(d, t, left)
	}
	for w != nil {
		w = r.take(n, m)
	}
}

// older returns the tile behind t, of which left are left to read.
func older(d *agg.Decoder, t int64, left int) int64 {
	if left == 0 {
		return t
	}
	next := t - int64(d.Uint())
	if next > t { // a difference that wrapped around
		d.Fail(fmt.Errorf("tile %d follows tile %d", next, t))
	}
	return next
}

// begin empties the sums of the nest and finds the features to which tiles from t backwards matter. It reports
// whether there are any.
func (r *Reader) begin(n *nest, t int64) bool {
	n.pending = n.features
	switch {
	case n.groups != nil:
		if len(n.features) > 1 {
			n.groups.begin()
		}
		n.groups.source(&r.decoder)
	case len(n.features) > 1:
		n.sum.Reset()
	}
	if w := &r.windows[n.features[0]]; w.latest != nil && n.groups == nil {
		n.memory = append(n.memory[:0], n.features...)
		n.pending = slices.DeleteFunc(n.memory, func(i int) bool { return w.enough(&r.single[i], t) })
	}
	return len(n.pending) > 0
}

// sum is what the tiles of the nest are folded into: where there is only one feature, its partial.
func (r *Reader) sum(n *nest) *agg.Partial {
	if len(n.features) == 1 {
		return &r.single[n.features[0]]
	}
	return &n.sum
}

// take ends the window of the first pending feature, which gets what has been summed, and returns that of the next
// one, nil after the last.
func (r *Reader) take(n *nest, m agg.Monoid) *window {
	i := n.pending[0]
	n.pending = n.pending[1:]
	switch {
	case len(n.features) == 1: // it was summed in its place
	case n.groups == nil:
		agg.Join(m, &r.single[i], &n.sum)
	default:
		g, d := r.grouped[i], &r.decoder
		g.source(d)
		for j := range n.groups.keys {
			agg.Join(m, g.at(d, n.groups.numbers[j]), &n.groups.partials[j])
		}
	}
	if len(n.pending) == 0 {
		return nil
	}
	return &r.windows[n.pending[0]]
}

// scaleOf returns what a tile counts at the instant, which is not before it.
func (w *window) scaleOf(t int64) float64 {
	if w.decaying == nil {
		return 1
	}
	return w.scale * w.steps[w.to-t]
}

// skip passes over a tile.
func (n *nest) skip(m agg.Monoid, d *agg.Decoder) {
	if n.groups == nil {
		m.Skip(d)
		return
	}
	for range d.Count() {
		d.Uint()
		m.Skip(d)
	}
}
