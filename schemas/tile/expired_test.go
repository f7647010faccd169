package tile_test

import (
	"bytes"
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// TestExpiredSaysWhetherPruneDoesAnything compares it with pruning, at the instant of the case and later.
func TestExpiredSaysWhetherPruneDoesAnything(t *testing.T) {
	expired, kept := 0, 0
	for seed := range uint64(60) {
		c := gen.NewCase(seed, 6, 60)
		for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			plan, err := tile.Compile(c.Catalogue, e)
			if err != nil {
				t.Fatal(err)
			}
			b := plan.NewBucket()
			var row tile.Row
			for _, r := range c.Log {
				plan.Fill(&row, &r.Event, r.Seq)
				plan.UpdateSince(b, &row, c.AsOf)
			}
			for _, later := range []int64{0, 3_600_000, 86_400_000, 40 * 86_400_000} {
				view := plan.NewCodec().AppendView(nil, b)
				got, err := plan.Expired(view, c.AsOf+later)
				if err != nil {
					t.Fatal(err)
				}
				plan.Prune(b, c.AsOf+later)
				want := !bytes.Equal(view, plan.NewCodec().AppendView(nil, b))
				if got != want {
					t.Errorf("seed %d, %s, %d ms later: %t, want %t", seed, e, later, got, want)
				}
				if want {
					expired++
				} else {
					kept++
				}
			}
			if _, err := plan.Expired([]byte{9, 0, 0}, 0); err == nil {
				t.Error("another version is accepted")
			}
		}
	}
	if expired < 50 || kept < 50 {
		t.Errorf("%d views expired, %d did not: the test says little", expired, kept)
	}
}
