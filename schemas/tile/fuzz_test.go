package tile_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// sorted fails where a decoded bucket is not in order: merging and pruning rely on it.
func sorted(t *testing.T, b tile.Bucket) {
	for i, s := range b {
		for j := 1; j < len(s); j++ {
			if x, y := s[j-1], s[j]; x.Tile > y.Tile || x.Tile == y.Tile && x.Key >= y.Key {
				t.Fatalf("series %d: cell (%d, %q) follows (%d, %q)", i, y.Tile, y.Key, x.Tile, x.Key)
			}
		}
	}
}

// FuzzDecodeState: whatever decodes is in order, and is encoded and decoded to the same again.
func FuzzDecodeState(f *testing.F) {
	p, state, _ := smallState(f, 3)
	f.Add(state)
	f.Add([]byte{2, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := p.DecodeState(b)
		if err != nil || len(b) == 0 {
			return
		}
		for i, e := range s.Epochs {
			if i > 0 && s.Epochs[i-1].Epoch >= e.Epoch {
				t.Fatalf("epoch %d follows epoch %d", e.Epoch, s.Epochs[i-1].Epoch)
			}
			sorted(t, e.Bucket)
		}
		c := p.NewCodec()
		once := c.AppendState(nil, s)
		again, err := p.DecodeState(once)
		if err != nil {
			t.Fatalf("%x was encoded as %x, which is refused: %v", b, once, err)
		}
		if twice := c.AppendState(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x is encoded as %x, then as %x", b, once, twice)
		}
	})
}

// FuzzDecodeView is FuzzDecodeState for views.
func FuzzDecodeView(f *testing.F) {
	p, _, view := smallState(f, 3)
	f.Add(view)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := p.DecodeView(b)
		if err != nil {
			return
		}
		sorted(t, v)
		c := p.NewCodec()
		once := c.AppendView(nil, v)
		again, err := p.DecodeView(once)
		if err != nil {
			t.Fatalf("%x was encoded as %x, which is refused: %v", b, once, err)
		}
		if twice := c.AppendView(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x is encoded as %x, then as %x", b, once, twice)
		}
	})
}

// FuzzContinue goes on from a view with events since an instant, and drops tiles: there is no panic, and what decodes is, once
// it has been encoded, written as decoding, pruning and encoding write it.
func FuzzContinue(f *testing.F) {
	p, _, view := smallState(f, 3)
	f.Add(view, gen.Base, gen.Base-800*86_400_000)
	f.Add(view, gen.Base+7_200_000, gen.Base+3*86_400_000)
	f.Add(view, int64(tile.NoEvents), gen.Base+40*86_400_000)
	f.Fuzz(func(t *testing.T, view []byte, since, asOf int64) {
		c, x := p.NewCodec(), p.NewContinued()
		if x.Open(view, since) == nil {
			_, _ = c.AppendContinued(nil, x, asOf)
		}
		_, _ = c.AppendPruned(nil, x, view, asOf)
		b, err := p.DecodeView(view)
		if err != nil {
			return
		}
		once := c.AppendView(nil, b)
		if err := x.Open(once, since); err != nil {
			t.Fatalf("%x was encoded as %x, which is refused: %v", view, once, err)
		}
		got, err := c.AppendContinued(nil, x, asOf)
		if p.Prune(b, asOf); err != nil || !bytes.Equal(got, c.AppendView(nil, b)) {
			t.Fatalf("%x, continued since %d as of %d, is %x, want %x: %v", once, since, asOf, got, c.AppendView(nil, b), err)
		}
	})
}

// FuzzReader reads a view and a state straight from their bytes. Where decoding accepts both, so does
// the reader, and it answers as it does for what decoding and encoding make of them.
func FuzzReader(f *testing.F) {
	p, state, view := smallState(f, 3)
	f.Add(view, state, int64(0), gen.Base)
	f.Add(view, []byte(nil), int64(1), gen.Base-3_600_000)
	f.Add([]byte(nil), state, int64(0), gen.Base)
	f.Fuzz(func(t *testing.T, view, state []byte, cut, at int64) {
		read := func(view, state []byte) (answers []string, failed bool) {
			r := p.NewReader()
			r.Begin(at)
			errView := r.AddView(view)
			_, errState := r.AddState(state, cut)
			for _, v := range r.Values() { // whatever an error has left there, nothing panics
				answers = append(answers, v.String())
			}
			return answers, errView != nil || errState != nil
		}
		got, failed := read(view, state)
		s, err := p.DecodeState(state)
		if err != nil {
			return
		}
		c := p.NewCodec()
		again := c.AppendState(nil, s)
		var viewAgain []byte
		if len(view) > 0 {
			b, err := p.DecodeView(view)
			if err != nil {
				return
			}
			viewAgain = c.AppendView(nil, b)
		}
		if failed {
			t.Fatalf("what decodes cannot be read: view %x, state %x", view, state)
		}
		if want, _ := read(viewAgain, again); !slices.Equal(got, want) {
			t.Fatalf("read %v, decoded, encoded and read %v", got, want)
		}
	})
}
