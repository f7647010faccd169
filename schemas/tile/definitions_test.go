package tile_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gentest"
)

// TestDefinitions plays random logs into live states and, up to a random cut, into views, both through
// their codecs, and compares every feature of every member with the oracle.
func TestDefinitions(t *testing.T) {
	gentest.Run(t, 400, func(t *testing.T, c gen.Case, _ *rand.Rand) {
		engines, distinct := everyEntity(t, c)
		for _, x := range engines {
			reader := x.plan.NewReader() // one for all members: nothing may be left of the one before
			err := x.against(distinct, func(id string) ([]agg.Value, error) { return x.read(reader, id) })
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDecodingIsTheInverse: states and views read back as what they were.
func TestDecodingIsTheInverse(t *testing.T) {
	gentest.Run(t, 200, func(t *testing.T, c gen.Case, _ *rand.Rand) {
		engines, _ := everyEntity(t, c)
		for _, x := range engines {
			codec := x.plan.NewCodec()
			for id, b := range x.views {
				want := codec.AppendView(nil, b)
				again, err := x.plan.DecodeView(want)
				if err != nil {
					t.Fatalf("view of %s: %v", id, err)
				}
				if got := codec.AppendView(nil, again); string(got) != string(want) {
					t.Fatalf("view of %s: %x, decoded and encoded again %x", id, want, got)
				}
			}
			for id, states := range x.states {
				for p, s := range states {
					want := codec.AppendState(nil, s)
					next, epochs, err := x.plan.Peek(want)
					if err != nil || next != s.Next || !slices.EqualFunc(epochs, s.Epochs, func(n int64, e tile.EpochBucket) bool { return n == e.Epoch }) {
						t.Fatalf("state of %s: Peek says %d, %v and %v", id, next, epochs, err)
					}
					again, err := x.plan.DecodeState(want)
					if err != nil {
						t.Fatalf("state of %s: %v", id, err)
					}
					if got := codec.AppendState(nil, again); string(got) != string(want) {
						t.Fatalf("state of %s in partition %d: %x, decoded and encoded again %x", id, p, want, got)
					}
				}
			}
		}
	})
}

// TestPruneKeepsAnswers: a view without old tiles answers as one with all of them from asOf on, and
// leaving them out from the start is the same as dropping them.
func TestPruneKeepsAnswers(t *testing.T) {
	gentest.Run(t, 200, func(t *testing.T, c gen.Case, _ *rand.Rand) {
		engines, distinct := everyEntity(t, c)
		c.AsOf = -1 << 40 // before everything
		for i, pruned := range engines {
			whole, err := newEngine(c, entities[i])
			if err != nil {
				t.Fatal(err)
			}
			reader := whole.plan.NewReader()
			if err := whole.against(distinct, func(id string) ([]agg.Value, error) { return whole.read(reader, id) }); err != nil {
				t.Fatalf("unpruned: %v", err)
			}
			codec := whole.plan.NewCodec()
			for id, b := range whole.views {
				before := codec.AppendView(nil, b)
				expired, err := whole.plan.Expired(before, pruned.AsOf)
				if err != nil {
					t.Fatal(err)
				}
				whole.plan.Prune(b, pruned.AsOf)
				if after := codec.AppendView(nil, b); expired == (string(before) == string(after)) {
					t.Fatalf("view of %s: Expired says %v, pruning makes %d bytes out of %d", id, expired, len(after), len(before))
				}
				if got, want := codec.AppendView(nil, b), codec.AppendView(nil, pruned.views[id]); string(got) != string(want) {
					t.Fatalf("view of %s: Update and Prune %x, UpdateSince %x", id, got, want)
				}
			}
		}
	})
}

// TestMergeOfParts: a night that adds an epoch to the view of the night before has what one that
// reads everything has.
func TestMergeOfParts(t *testing.T) {
	gentest.Run(t, 200, func(t *testing.T, c gen.Case, _ *rand.Rand) {
		seams := []int64{0, c.Cut / 2, c.Cut} // imports, then two runs of epochs
		engines, distinct := everyEntity(t, c)
		for i, x := range engines {
			merged := map[string]tile.Bucket{}
			for k, below := range seams {
				from := int64(-1 << 62)
				if k > 0 {
					from = seams[k-1]
				}
				part := c
				part.Log, part.Cut = nil, below
				for _, r := range distinct {
					if r.Epoch >= from && r.Epoch < below {
						r.Event.ID = strconv.Itoa(len(part.Log)) // what is left are no duplicates
						part.Log = append(part.Log, r)
					}
				}
				y, err := newEngine(part, entities[i])
				if err != nil {
					t.Fatal(err)
				}
				for id, b := range y.views {
					if merged[id] == nil {
						merged[id] = x.plan.NewBucket()
					}
					x.plan.Merge(merged[id], b)
					x.plan.Prune(merged[id], c.AsOf)
				}
			}
			x.views = merged
			reader := x.plan.NewReader()
			if err := x.against(distinct, func(id string) ([]agg.Value, error) { return x.read(reader, id) }); err != nil {
				t.Fatal(err)
			}
		}
	})
}
