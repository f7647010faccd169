package tile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/feature"
)

// TestUpdateSinceIsUpdateThenPrune proves that leaving tiles out while reading equals dropping them after.
func TestUpdateSinceIsUpdateThenPrune(t *testing.T) {
	plans := []feature.Entity{feature.User, feature.Item, feature.Global}
	rapid.Check(t, func(rt *rapid.T) {
		p := plan(rt, rapid.SampledFrom(plans).Draw(rt, "entity"))
		log := drawLog(rt)
		if len(log) == 0 {
			return
		}
		asOf := int64(log[rapid.IntRange(0, len(log)-1).Draw(rt, "at")].event.Time) + rapid.Int64Range(0, 40*86_400_000).Draw(rt, "later")
		all, since := p.NewBucket(), p.NewBucket()
		for i := range log {
			p.Update(all, &log[i].event, log[i].offset)
			p.UpdateSince(since, &log[i].event, log[i].offset, asOf)
		}
		p.Prune(all, asOf)
		if diff := cmp.Diff(p.AppendView(nil, all), p.AppendView(nil, since)); diff != "" {
			rt.Error(diff)
		}
	})
}
