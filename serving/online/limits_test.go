package online

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/serving/recommend"
)

// TestManyEventsSinceTheCut has a user view hats9, and then so much that the list of interactions runs
// over. Whether hats9 is still known depends on the epoch that it is in; when it may not be, the
// receipt says so.
func TestManyEventsSinceTheCut(t *testing.T) {
	for _, c := range []struct {
		name        string
		epoch       int64 // of hats9; the rest is in epoch 2
		rest        int
		whole, seen bool
	}{
		{"room for all", 2, 98, true, true},
		{"one epoch too full", 2, 100, false, false},
		{"an epoch each", 1, 99, true, true},
		{"an epoch each, the second may be too full", 1, 100, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.history(12)
			w.point(t, w.generation(t, 1, items()))
			w.act(c.epoch, "u0", "hats9", "view", time.Hour)
			for i := range c.rest {
				w.act(2, "u0", "boots1", "view", time.Minute-time.Duration(i)*time.Millisecond)
			}
			w.live(t, "A", 0)
			s := w.serve(t)
			for _, mode := range []recommend.Mode{recommend.ModeMerged, recommend.ModeLive} {
				got := recommendTo(t, s, "u0", mode)
				r := got.Receipt
				if r.Degraded == c.whole || (r.Live == LiveExact) != c.whole || strings.Contains(r.Reason, "only the latest 100 events of an epoch are known") == c.whole {
					t.Errorf("%s: whole is %v, receipt %+v", mode, c.whole, r)
				}
				all := must(s.Recommend(t.Context(), Request{User: "u0", N: 100, ExcludeSeen: true, Mode: mode}))(t)
				if slices.Contains(ids(all.Items), "hats9") == c.seen {
					t.Errorf("%s: hats9 is known as seen: %v, want %v", mode, !c.seen, c.seen)
				}
			}
			features := must(s.Features(t.Context(), "u0"))(t)
			if r := features.Receipt; r.Degraded || r.Live != LiveExact || features.Features["views_24h"].String() != fmt.Sprint(1+c.rest) {
				t.Errorf("features: receipt %+v, %v views", r, features.Features["views_24h"])
			}
		})
	}
}

// TestGenerationFromTheFuture reads views of a host whose clock is ahead: their windows are not whole yet.
func TestGenerationFromTheFuture(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	w.live(t, "A", 0)
	begins := w.inputs(1).AsOf
	for _, c := range []struct {
		at    time.Time
		wrong bool
	}{
		{begins, false},
		{begins.Add(-5 * time.Second), false},
		{begins.Add(-5*time.Second - time.Millisecond), true},
		{begins.AddDate(0, 0, -3), true},
	} {
		s := w.serve(t, func(conf *Config) { conf.Now = func() time.Time { return c.at } })
		for what, r := range map[string]Receipt{
			"features":        must(s.Features(t.Context(), "u0"))(t).Receipt,
			"item features":   must(s.ItemFeatures(t.Context(), "hats1"))(t).Receipt,
			"trending":        must(s.Trending(t.Context(), 5, nil))(t).Receipt,
			"recommendations": recommendTo(t, s, "u0", recommend.ModeMerged).Receipt,
		} {
			if r.Degraded != c.wrong || strings.Contains(r.Reason, reasonClock) != c.wrong {
				t.Errorf("%s at %v, views begin at %v: %+v", what, c.at, begins, r)
			}
		}
		if r := recommendTo(t, s, "u0", recommend.ModeLive).Receipt; r.Degraded {
			t.Errorf("live only at %v rests on no view: %+v", c.at, r)
		}
	}
}
