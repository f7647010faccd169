package agg_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
)

// TestPatchesAreUpdates patches encoded partials, texts keeping their numbers: they decode to what decoding and updating
// come to, and what follows them is not touched.
func TestPatchesAreUpdates(t *testing.T) {
	patched, refused := map[string]int{}, map[string]int{}
	laws(t, func(x algebra, a, b, _ []agg.Input) error {
		if _, ok := x.Monoid.(agg.Patcher); !ok || len(a) == 0 || len(b) == 0 {
			return nil
		}
		last := b[0] // and one after all others, on a partial of one event: no aggregate refuses that
		last.Time, last.Seq = tileStart+tileWidth-1, 1<<40
		for _, c := range []struct {
			events []agg.Input
			in     *agg.Input
		}{{a, &b[0]}, {a, &last}, {a[:1], &last}} {
			done, err := x.patch(c.events, c.in)
			if err != nil {
				return err
			}
			if done {
				patched[x.name]++
			} else {
				refused[x.name]++
			}
		}
		return nil
	})
	for name, n := range refused {
		if patched[name] < n/2 {
			t.Errorf("%s: %d were patched, %d were not", name, patched[name], n)
		}
	}
	if len(patched) < 30 {
		t.Errorf("only these were patched: %v", patched)
	}
}

// patch patches the partial of events with another one. It reports false where that was refused.
func (x algebra) patch(events []agg.Input, in *agg.Input) (done bool, err error) {
	d := decoder(append(x.encode(x.of(events), len(events)), "rest"...))
	var e agg.Encoder
	e.Extend(d)
	if !x.Monoid.(agg.Patcher).Patch(&e, d, in) {
		return false, d.Err
	}
	var got agg.Partial
	d = decoder(slices.Concat(e.AppendTable(nil), e.Buf, d.B))
	x.Fold(&got, d, 1)
	want := x.of(events)
	x.Update(want, in)
	if d.Err != nil || string(d.B) != "rest" {
		return false, fmt.Errorf("%s: %q follows: %w", x.name, d.B, d.Err)
	}
	if g, w := x.encode(&got, len(events)+1), x.encode(want, len(events)+1); string(g) != string(w) {
		return false, fmt.Errorf("%s: %d events and another are %x, want %x", x.name, len(events), g, w)
	}
	return true, nil
}

// TestRunsAreFolds folds two tiles in a run, up to one of them or to both.
func TestRunsAreFolds(t *testing.T) {
	const newest, behind = 100, 3
	folded := map[string]int{}
	laws(t, func(x algebra, a, b, _ []agg.Input) error {
		m, ok := x.Monoid.(agg.Run)
		if !ok || len(a) == 0 || len(b) == 0 {
			return nil
		}
		folded[x.name]++
		one, two := decoder(x.encode(x.of(a), len(a))).B, decoder(x.encode(x.of(b), len(b))).B
		for _, from := range []int64{newest - behind + 1, newest - behind} {
			d := decoder(append([]byte{0, 0}, append(binary.AppendUvarint(one[:len(one):len(one)], behind), two...)...))
			var got, want agg.Partial
			tile, left := m.FoldRun(&got, d, newest, from, 2)
			x.Fold(&want, decoder(append([]byte{0, 0}, one...)), 1)
			rest, at, more := len(two), int64(newest-behind), 1
			if from == newest-behind {
				x.Fold(&want, decoder(append([]byte{0, 0}, two...)), 1)
				rest, more = 0, 0
			}
			if d.Err != nil || len(d.B) != rest || left != more || tile != at {
				return fmt.Errorf("%s: from tile %d at tile %d, %d left, %d bytes follow: %w", x.name, from, tile, left, len(d.B), d.Err)
			}
			if g, w := x.encode(&got, 1), x.encode(&want, 1); string(g) != string(w) {
				return fmt.Errorf("%s: from tile %d: %x, want %x", x.name, from, g, w)
			}
		}
		d := decoder(append([]byte{0, 0}, one[:len(one)-1]...))
		if m.FoldRun(new(agg.Partial), d, newest, 0, 1); d.Err == nil {
			return fmt.Errorf("%s: %x without its last byte is accepted", x.name, one)
		}
		return nil
	})
	if len(folded) < 8 {
		t.Errorf("only these were folded: %v", folded)
	}
}
