package tile_test

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// TestContinuedIsDecodedAndPruned continues views of random definitions, batch after batch, with instants of pruning
// that go on by an hour or by weeks: the bytes are those of decoding all, updating, pruning and encoding. Batches
// are in the order of time or in none, and some are empty.
func TestContinuedIsDecodedAndPruned(t *testing.T) {
	pruned, stayed := 0, 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := gen.NewCase(seed, 8, 200)
		if rng.IntN(3) == 0 {
			var err error
			if c.Catalogue, err = feature.Default(); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(2) == 0 {
			slices.SortStableFunc(c.Log, func(a, b oracle.Record) int { return cmp.Compare(a.Event.Time, b.Event.Time) })
		}
		for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			plan, err := tile.Compile(c.Catalogue, e)
			if err != nil {
				t.Fatal(err)
			}
			codec, other, x := plan.NewCodec(), plan.NewCodec(), plan.NewContinued()
			view := codec.AppendView(nil, plan.NewBucket())
			asOf := c.AsOf - 100*86_400_000
			for log := c.Log; ; {
				n := min(len(log), rng.IntN(40))
				asOf += []int64{0, 3_600_000, 86_400_000, 30 * 86_400_000}[rng.IntN(4)]
				want := decodedAndPruned(t, plan, view, log[:n], asOf)
				if n == 0 && rng.IntN(2) == 0 {
					got, err := codec.AppendPruned([]byte("before"), x, view, asOf)
					if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
						t.Fatalf("seed %d, %s: pruned, %v,\n%x is\n%x, want before and\n%x", seed, e, err, view, got, want)
					}
					if bytes.Equal(view, want) {
						stayed++
					} else {
						pruned++
					}
				}
				got := continued(t, plan, other, x, view, log[:n], asOf)
				if !bytes.Equal(got, want) {
					t.Fatalf("seed %d, %s: with %d events\n%x is\n%x, want\n%x", seed, e, n, view, got, want)
				}
				view, log = got, log[n:]
				if len(log) == 0 && rng.IntN(4) == 0 {
					break
				}
			}
		}
	}
	if pruned < 100 || stayed < 100 {
		t.Errorf("of %d views tiles went, of %d none: the test says little", pruned, stayed)
	}
}

func decodedAndPruned(t *testing.T, plan *tile.Plan, view []byte, log []oracle.Record, asOf int64) []byte {
	t.Helper()
	b, err := plan.DecodeView(view)
	if err != nil {
		t.Fatal(err)
	}
	var row tile.Row
	for _, r := range log {
		plan.Fill(&row, &r.Event, r.Seq)
		plan.UpdateSince(b, &row, asOf)
	}
	plan.Prune(b, asOf)
	return plan.NewCodec().AppendView(nil, b)
}

func continued(t *testing.T, plan *tile.Plan, codec *tile.Codec, x *tile.Continued, view []byte, log []oracle.Record, asOf int64) []byte {
	t.Helper()
	since := int64(tile.NoEvents)
	var row tile.Row
	for _, r := range log {
		plan.Fill(&row, &r.Event, r.Seq)
		since = min(since, row.Time)
	}
	if err := x.Open(view, since); err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		plan.Fill(&row, &r.Event, r.Seq)
		plan.UpdateSince(x.Bucket, &row, asOf)
	}
	got, err := codec.AppendContinued(nil, x, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestContinuedRefuses: a view that is cut or goes on is refused or, where what is wrong stays encoded, passed on; there is
// no panic, and the next view is not harmed.
func TestContinuedRefuses(t *testing.T) {
	plan, _, view := smallState(t, 60)
	codec, x := plan.NewCodec(), plan.NewContinued()
	for n := range view {
		for _, since := range []int64{gen.Base, tile.NoEvents} {
			if err := x.Open(view[:n:n], since); err == nil {
				t.Fatalf("%d of %d bytes are accepted", n, len(view))
			}
		}
		if _, err := codec.AppendPruned(nil, x, view[:n:n], gen.Base+90*86_400_000); err == nil {
			t.Fatalf("%d of %d bytes are pruned", n, len(view))
		}
	}
	for i := range view {
		damaged := bytes.Clone(view)
		damaged[i] ^= 0x11
		if err := x.Open(damaged, gen.Base+86_400_000); err == nil {
			_, _ = codec.AppendContinued(nil, x, gen.Base+40*86_400_000)
		}
		_, _ = codec.AppendPruned(nil, x, damaged, gen.Base+40*86_400_000)
	}
	if got := continued(t, plan, codec, x, view, nil, gen.Base-800*86_400_000); !bytes.Equal(got, view) {
		t.Errorf("after damaged views\n%x is\n%x", view, got)
	}
}
