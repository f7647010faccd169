package agg_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"pgregory.net/rapid"
)

// fold adds the encodings of tiles.
func (x algebra) fold(p *agg.Partial, tiles [][]agg.Input, last bool) error {
	for _, in := range tiles {
		if len(in) == 0 {
			continue
		}
		d := decoder(x.encode(x.of(in), len(in)))
		d.Last = last
		if x.Fold(p, d, 1); d.Err != nil {
			return d.Err
		}
	}
	return nil
}

// TestJoinIsFold: folding tiles in two heaps and joining these answers as folding all of them does, beyond the cap
// of top_k too, and so does leaving unread what cannot change the answer.
func TestJoinIsFold(t *testing.T) {
	all := algebras(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.IntRange(0, 120).Draw(t, "events")
		for _, x := range all {
			in := inputs(r, x.typ, n)
			for i := range in {
				if in[i].Of.Kind == agg.Text {
					in[i].Of.Text = fmt.Sprint("t", r.IntN(90)) // more than a tile of top_k holds
				}
			}
			var tiles [][]agg.Input
			for len(in) > 0 {
				k := 1 + r.IntN(len(in))
				tiles, in = append(tiles, in[:k]), in[k:]
			}
			cut := r.IntN(len(tiles) + 1)
			var whole, lazy, joined, heap agg.Partial
			for _, err := range []error{
				x.fold(&whole, tiles, false), x.fold(&lazy, tiles, true), x.fold(&joined, tiles[:cut], false), x.fold(&heap, tiles[cut:], false),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			agg.Join(x.Monoid, &joined, &heap)
			for how, p := range map[string]*agg.Partial{"joined": &joined, "in part": &lazy} {
				if err := x.answer(slices.Concat(tiles...), &whole, p); err != nil {
					t.Fatalf("%s: %v", how, err)
				}
			}
		}
	})
}

// answer compares the answers of two partials of the same events.
func (x algebra) answer(in []agg.Input, a, b *agg.Partial) error {
	if x.float {
		return x.agree(in, a, b)
	}
	if s, t := x.Finalize(a).String(), x.Finalize(b).String(); s != t {
		return fmt.Errorf("%s: %s and %s", x.name, s, t)
	}
	return nil
}
