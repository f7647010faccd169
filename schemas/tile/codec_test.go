package tile_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// smallState is a state and a view with a few events of everything.
func smallState(t testing.TB, records int) (p *tile.Plan, state, view []byte) {
	g := gen.New(3)
	c := g.Catalogue(30)
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	s, b := &tile.State{}, p.NewBucket()
	var row tile.Row
	for _, r := range g.Log(c, gen.Base, records) {
		s.Recent.Seen(tile.HashID(r.Event.ID), r.Epoch)
		p.Fill(&row, &r.Event, r.Seq)
		p.Apply(s, &row, r.Epoch)
		p.Update(b, &row)
	}
	s.Next = int64(records)
	codec := p.NewCodec()
	return p, codec.AppendState(nil, s), codec.AppendView(nil, b)
}

// TestDecodeRefuses: what is cut, goes on, or is of another version is refused, by decoding and reading
// alike.
func TestDecodeRefuses(t *testing.T) {
	p, state, view := smallState(t, 40)
	r := p.NewReader()
	readers := map[string]struct {
		good []byte
		read func([]byte) error
	}{
		"DecodeState": {state, func(b []byte) error { _, err := p.DecodeState(b); return err }},
		"AddState":    {state, func(b []byte) error { r.Begin(gen.Base); _, err := r.AddState(b, -1<<62); return err }},
		"DecodeView":  {view, func(b []byte) error { _, err := p.DecodeView(b); return err }},
		"AddView":     {view, func(b []byte) error { r.Begin(gen.Base); return r.AddView(b) }},
	}
	for name, x := range readers {
		if err := x.read(x.good); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := 1; n < len(x.good); n++ {
			if err := x.read(x.good[:n:n]); err == nil {
				t.Errorf("%s accepts %d of %d bytes", name, n, len(x.good))
			}
		}
		if err := x.read(append(x.good[:len(x.good):len(x.good)], 0)); err == nil {
			t.Errorf("%s accepts a byte after the end", name)
		}
		for _, version := range []byte{0, 1, 3, 99} {
			err := x.read(append([]byte{version}, x.good[1:]...))
			if err == nil || !strings.Contains(err.Error(), "user") {
				t.Errorf("%s of version %d: %v; the error has to name the entity", name, version, err)
			}
		}
	}
}

// TestNeverSeen: no bytes are the state, and the view, of an entity that was never seen.
func TestNeverSeen(t *testing.T) {
	p, _, _ := smallState(t, 40)
	s, err := p.DecodeState(nil)
	if err != nil || s.Next != 0 || len(s.Epochs) > 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	r := p.NewReader()
	r.Begin(gen.Base)
	if _, err := r.AddState(nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.AddView(nil); err != nil {
		t.Fatal(err)
	}
}

// TestDropBelow forgets the epochs that a generation has taken over, and no other.
func TestDropBelow(t *testing.T) {
	p, _, _ := smallState(t, 40)
	s := &tile.State{}
	var row tile.Row
	p.Fill(&row, &event.Event{UserID: "u", ItemID: "i", Type: "view", Time: event.Millis(gen.Base)}, 1)
	for _, epoch := range []int64{4, 2, 7, 2} {
		p.Apply(s, &row, epoch)
	}
	s.DropBelow(4)
	var left []int64
	for _, e := range s.Epochs {
		left = append(left, e.Epoch)
	}
	if fmt.Sprint(left) != "[4 7]" {
		t.Fatalf("epochs %v are left, want [4 7]", left)
	}
}

// TestAddEpochs reads the epochs asked for.
func TestAddEpochs(t *testing.T) {
	c := feature.Catalogue{Features: []feature.Definition{{Name: "n", Entity: feature.User, Aggregate: feature.Count, Window: feature.Day}}}
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	s := &tile.State{}
	var row tile.Row
	p.Fill(&row, &event.Event{UserID: "u", ItemID: "i", Type: "view", Time: event.Millis(gen.Base)}, 1)
	for epoch := range int64(5) {
		p.Apply(s, &row, epoch)
	}
	blob := p.NewCodec().AppendState(nil, s)
	r := p.NewReader()
	for _, x := range []struct{ from, to, want int64 }{{0, 5, 5}, {1, 3, 2}, {4, 9, 1}, {5, 9, 0}, {3, 3, 0}} {
		r.Begin(gen.Base)
		if _, err := r.AddEpochs(blob, x.from, x.to); err != nil {
			t.Fatal(err)
		}
		if n, _ := r.Value(0).Int64(); n != x.want {
			t.Errorf("epochs %d to %d: %d events, want %d", x.from, x.to, n, x.want)
		}
	}
}

// TestDecodeRefusesDisorder: tiles and keys that do not follow each other would be merged and pruned
// wrongly, differences that wrap around included.
func TestDecodeRefusesDisorder(t *testing.T) {
	c := feature.Catalogue{Features: []feature.Definition{{Name: "n", Entity: feature.User, Aggregate: feature.Count, Window: feature.Day}}}
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	view := func(tiles, span uint64, body ...uint64) []byte {
		b := []byte{2, 0, 0} // version, no texts
		b = binary.AppendUvarint(b, tiles)
		b = binary.AppendVarint(b, 0) // the newest
		b = binary.AppendUvarint(b, span)
		var list []byte
		for _, n := range body {
			list = binary.AppendUvarint(list, n)
		}
		b = binary.AppendUvarint(b, uint64(len(list)))
		return append(b, list...)
	}
	if _, err := p.DecodeView(view(2, 3, 1, 3, 1)); err != nil {
		t.Fatalf("two tiles in order: %v", err)
	}
	bad := map[string][]byte{
		"the same tile twice":       view(2, 0, 1, 0, 1),
		"an oldest that is not it":  view(2, 4, 1, 3, 1),
		"a tile before the oldest":  view(2, 2, 1, 3, 1),
		"a step that wraps around":  view(2, math.MaxUint64, 1, math.MaxUint64, 1),
		"a span that wraps around":  view(1, math.MaxUint64, 1),
		"steps that wrap and wrap":  view(3, 1, 1, math.MaxUint64, 1, 2, 1),
		"bytes after the last tile": view(1, 0, 1, 1),
	}
	for name, b := range bad {
		if v, err := p.DecodeView(b); err == nil {
			t.Errorf("%s: %x is accepted as %+v", name, b, v)
		}
	}
}
