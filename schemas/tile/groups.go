package tile

import (
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
)

// groups are the partials of a grouped feature.
type groups struct {
	keys     []string
	partials []agg.Partial
	index    map[string]int32
	slots    []int32 // by number of a text of the current source: 1 + index in keys; 0 is not known yet
	numbers  []int   // of a nest: the number of each key

	finals []agg.Value // by index in keys
	order  []int32
	answer []agg.Group
}

func (g *groups) begin() {
	for i := range g.partials {
		g.partials[i].Reset()
	}
	g.keys, g.numbers = g.keys[:0], g.numbers[:0]
	clear(g.index)
}

// source begins with another text table.
func (g *groups) source(d *agg.Decoder) {
	g.slots = slices.Grow(g.slots[:0], len(d.Texts))[:len(d.Texts)]
	clear(g.slots)
}

// fold adds the keys of one tile.
func (g *groups) fold(d *agg.Decoder, m agg.Monoid, scale float64) {
	for range d.Count() {
		n, rest := agg.Next(d.B)
		if rest == nil || n >= uint64(len(g.slots)) {
			d.TextNumber() // says what is wrong
			return
		}
		d.B = rest
		m.Fold(g.at(d, int(n)), d, scale)
	}
}

// at returns the partial of the key that is the n-th text of the current source.
func (g *groups) at(d *agg.Decoder, n int) *agg.Partial {
	if s := g.slots[n]; s > 0 {
		return &g.partials[s-1]
	}
	return g.find(d, n)
}

// find is at for a key that the current source has not named before. It is rare: inlined, it would keep at from being so.
//
//go:noinline
func (g *groups) find(d *agg.Decoder, n int) *agg.Partial {
	key := d.Texts[n]
	i, known := g.index[key]
	if !known {
		i = int32(len(g.keys))
		g.index[key] = i
		g.keys, g.numbers = append(g.keys, key), append(g.numbers, n)
		if len(g.partials) < len(g.keys) {
			g.partials = append(g.partials, agg.Partial{})
		}
	}
	g.slots[n] = i + 1
	return &g.partials[i]
}

// value returns the groups, largest first, then by key.
func (g *groups) value(m agg.Monoid) agg.Value {
	g.finals, g.order = g.finals[:0], g.order[:0]
	for i := range g.keys {
		g.finals, g.order = append(g.finals, m.Finalize(&g.partials[i])), append(g.order, int32(i))
	}
	slices.SortFunc(g.order, func(a, b int32) int { // numbers, since values are large to be moved about
		if c := agg.CompareNumbers(&g.finals[b], &g.finals[a]); c != 0 {
			return c
		}
		return strings.Compare(g.keys[a], g.keys[b])
	})
	g.answer = g.answer[:0]
	for _, i := range g.order {
		g.answer = append(g.answer, agg.Group{Key: g.keys[i], Value: g.finals[i]})
	}
	return agg.GroupsValue(&g.answer)
}
