package tile_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

const base = int64(1_780_000_000_000) // an instant in 2026

func catalogue(t interface{ Fatal(...any) }) feature.Catalogue {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plan(t interface{ Fatal(...any) }, e feature.Entity) *tile.Plan {
	p, err := tile.Compile(catalogue(t), e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// drawLog draws one user's log: late and early events, repeats of ids, several epochs.
func drawLog(t *rapid.T) []logged {
	n := rapid.IntRange(0, 60).Draw(t, "events")
	categories := []string{"", "shoes", "hats"}
	var log []logged
	epoch := int64(0)
	for i := range n {
		epoch += rapid.SampledFrom([]int64{0, 0, 0, 0, 1, 2}).Draw(t, "epochs on")
		age := rapid.SampledFrom([]int64{0, 1000, 3_599_999, 3_600_000, 86_400_000, 8 * 86_400_000, 40 * 86_400_000}).Draw(t, "age")
		e := event.Event{
			ID: fmt.Sprint("e", rapid.IntRange(0, 2*n).Draw(t, "id")), UserID: "u1",
			ItemID: fmt.Sprint("i", rapid.IntRange(0, 5).Draw(t, "item")),
			Type:   rapid.SampledFrom([]string{"view", "cart", "purchase"}).Draw(t, "type"),
			Time:   event.Millis(base - age - rapid.Int64Range(0, 1000).Draw(t, "jitter")),
		}
		if c := rapid.SampledFrom(categories).Draw(t, "category"); c != "" {
			e.Stamp = &event.Stamp{Category: &c}
		}
		log = append(log, logged{e, epoch, int64(i)})
	}
	return log
}

// TestJoinEqualsOracle plays a log into a live state and, up to a random cut, into a view, with both
// sent through their codecs, and compares every feature of every entity with the oracle.
func TestJoinEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		cut := rapid.Int64Range(0, 12).Draw(t, "cut")
		at := base + rapid.Int64Range(-3*86_400_000, 3*86_400_000).Draw(t, "read at")
		asOf := at - rapid.Int64Range(0, 86_400_000).Draw(t, "pruned before")
		for _, entity := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			p := plan(t, entity)
			view, live := play(t, p, log, cut, asOf)
			values := p.Read(at, tile.Joined(view, live, cut)...)
			for i, f := range p.Features {
				compare(t, f.Def, oracle(f.Def, log, at), values[i])
			}
		}
	})
}

func play(t *rapid.T, p *tile.Plan, log []logged, cut, asOf int64) (tile.Bucket, *tile.State) {
	var recent tile.Recent
	state, view := &tile.State{}, p.NewBucket()
	for _, l := range log {
		if recent.Seen(l.event.ID, l.epoch) {
			continue
		}
		if l.epoch < cut {
			p.Update(view, &l.event, tile.Seq(0, l.offset))
		}
		p.Apply(state, &l.event, l.epoch, 0, l.offset)
		state.Next = l.offset + 1
		var err error
		if state, err = p.DecodeState(p.AppendState(nil, state)); err != nil {
			t.Fatal(err)
		}
	}
	p.Prune(view, asOf)
	view, err := p.DecodeView(p.AppendView(nil, view))
	if err != nil {
		t.Fatal(err)
	}
	return view, state
}

func compare(t *rapid.T, d feature.Definition, want, got agg.Value) {
	switch g := got.(type) {
	case []tile.Group:
		w := want.(map[string]float64)
		if len(w) != len(g) {
			t.Fatalf("%s: %v, oracle %v", d.Name, g, w)
		}
		for _, x := range g {
			if math.Abs(w[x.Key]-x.Value) > 1e-9*w[x.Key] {
				t.Fatalf("%s of %s: %v, oracle %v", d.Name, x.Key, x.Value, w[x.Key])
			}
		}
	case []agg.Interaction:
		var items []string
		for _, x := range g {
			items = append(items, x.Item)
		}
		if diff := cmp.Diff(want, agg.Value(items)); diff != "" {
			t.Fatalf("%s: %s", d.Name, diff)
		}
	case agg.Top:
		if diff := cmp.Diff(want, agg.Value(g.Keys), cmp.Transformer("len0", func(c []agg.Counted) []agg.Counted { return append([]agg.Counted{}, c...) })); diff != "" {
			t.Fatalf("%s: %s", d.Name, diff)
		}
	default:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", d.Name, diff)
		}
	}
}

// TestRecentFollowsTheRule compares the ring with the rule's sentence on logs longer than the ring.
func TestRecentFollowsTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []logged
		var r tile.Recent
		epoch := int64(0)
		for i := range rapid.IntRange(100, 400).Draw(t, "records") {
			if rapid.IntRange(0, 60).Draw(t, "mark") == 0 {
				epoch++
				r.ForgetBelow(epoch)
			}
			l := logged{event.Event{ID: fmt.Sprint(rapid.IntRange(0, 200).Draw(t, "id"))}, epoch, int64(i)}
			if want, got := duplicate(log, l), r.Seen(l.event.ID, epoch); want != got {
				t.Fatalf("record %d, id %s: duplicate %v, the rule says %v", i, l.event.ID, got, want)
			}
			log = append(log, l)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	p := plan(t, feature.User)
	s := &tile.State{Next: 7}
	s.Recent.Seen("a", 1)
	p.Apply(s, &event.Event{ID: "a", UserID: "u", ItemID: "i", Type: "view", Time: event.Millis(base)}, 1, 0, 6)
	good := p.AppendState(nil, s)
	if _, err := p.DecodeState(good); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(good); n++ {
		if _, err := p.DecodeState(good[:n]); err == nil {
			t.Errorf("a state cut to %d of %d bytes was accepted", n, len(good))
		}
	}
	if _, err := p.DecodeState(append(good[:len(good):len(good)], 0)); err == nil {
		t.Error("a trailing byte was accepted")
	}
	newer := append([]byte{99}, good[1:]...)
	if _, err := p.DecodeState(newer); err == nil {
		t.Error("a newer version was accepted")
	}
}

func FuzzDecodeState(f *testing.F) {
	c, err := feature.Default()
	if err != nil {
		f.Fatal(err)
	}
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		f.Fatal(err)
	}
	s := &tile.State{Next: 7}
	p.Apply(s, &event.Event{ID: "a", UserID: "u", ItemID: "i", Type: "view", Time: event.Millis(base)}, 1, 0, 6)
	f.Add(p.AppendState(nil, s))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := p.DecodeState(b); err == nil {
			p.Read(base, tile.Joined(nil, s, 0)...)
		}
	})
}
