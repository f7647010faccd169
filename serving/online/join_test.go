package online

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/serving/recommend"
)

// TestFeaturesCountEveryEventOnce splits events between a generation and live state at any cut. Live
// state holds epochs before the cut, too; whatever the split, the answer is that over all events.
func TestFeaturesCountEveryEventOnce(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		w.clear(t)
		w.act(0, "u0", "hats0", "view", time.Hour) // generations are never empty
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			w.act(rapid.Int64Range(0, 4).Draw(rt, "epoch"),
				fmt.Sprint("u", rapid.IntRange(0, 3).Draw(rt, "user")),
				fmt.Sprint(rapid.SampledFrom(categories).Draw(rt, "category"), rapid.IntRange(0, 2).Draw(rt, "item")),
				rapid.SampledFrom([]string{"view", "purchase"}).Draw(rt, "type"),
				time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(rt, "ago")))
		}
		slices.SortStableFunc(w.entries, func(a, b entry) int { return int(a.epoch - b.epoch) })
		cut := rapid.Int64Range(1, 5).Draw(rt, "cut")
		w.live(t, "A", rapid.Int64Range(0, cut).Draw(rt, "base"))
		w.point(t, w.generation(t, cut, items()))
		s := w.serve(t, func(c *Config) { c.LiveTimeout = 10 * time.Second }) // a busy machine is no reason to degrade here
		for u := range 4 {
			id := fmt.Sprint("u", u)
			got := must(s.Features(t.Context(), id))(t)
			if got.Receipt.Live != LiveExact || got.Receipt.Degraded {
				rt.Fatalf("receipt %+v", got.Receipt)
			}
			w.check(rt, feature.User, id, got.Features)
		}
		for _, x := range w.entries {
			got := must(s.ItemFeatures(t.Context(), x.event.ItemID))(t)
			if got.Receipt.Live != LiveExact || got.Receipt.Degraded {
				rt.Fatalf("receipt %+v", got.Receipt)
			}
			w.check(rt, feature.Item, x.event.ItemID, got.Features)
		}
		trends := must(s.Trending(t.Context(), 1000, nil))(t)
		if trends.Receipt.Degraded {
			rt.Fatalf("receipt %+v", trends.Receipt)
		}
		for i, k := range w.trending() {
			if x := trends.Items[i]; x.Score != float32(k.Count) {
				rt.Fatalf("trending place %d: %+v, want score %d", i, x, k.Count)
			}
		}
	})
}

// check compares every feature of a member with the oracle over all of the world's events.
func (w *world) check(t *rapid.T, e feature.Entity, id string, got map[string]agg.Value) {
	t.Helper()
	var mine []oracle.Record
	for i, x := range w.entries {
		if e == feature.User && x.event.UserID == id || e == feature.Item && x.event.ItemID == id {
			p := event.PartitionOf([]byte(x.event.UserID), partitions)
			mine = append(mine, oracle.Record{Event: x.event, Epoch: x.epoch, Seq: tile.Seq(p, int64(i))})
		}
	}
	for _, d := range w.feature.Of(e) {
		if err := oracle.Answer(w.feature, d, mine, now.UnixMilli()).Check(got[d.Name]); err != nil {
			t.Fatalf("%s of %s: %v", d.Name, id, err)
		}
	}
}

// trending counts the world's events in the window of the trending feature, by item, most first.
func (w *world) trending() []agg.Counted {
	d := w.plans.global.Features[w.plans.trending].Def
	d.Aggregate, d.Of, d.N = feature.Count, "", 0
	counts := map[string]int64{}
	for _, x := range w.entries {
		one := []oracle.Record{{Event: x.event}}
		if oracle.Answer(w.feature, d, one, now.UnixMilli()).Check(agg.IntegerValue(1)) == nil {
			counts[x.event.ItemID]++
		}
	}
	var out []agg.Counted
	for key, n := range counts {
		out = append(out, agg.Counted{Key: key, Count: n})
	}
	slices.SortFunc(out, func(a, b agg.Counted) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key)) })
	return out
}

func TestMergedAnswerKnowsLastEvents(t *testing.T) {
	w := newWorld(t)
	w.history(12)
	w.point(t, w.generation(t, 1, items()))
	w.act(1, "u0", "boots9", "view", 2*time.Second) // more of the user's taste
	w.act(1, "u0", "socks1", "view", time.Second)   // and something new
	w.act(1, "u0", "socks2", "view", time.Second)
	w.live(t, "A", 0)
	s := w.serve(t)

	batch, live, merged := recommendTo(t, s, "u0", recommend.ModeBatch), recommendTo(t, s, "u0", recommend.ModeLive), recommendTo(t, s, "u0", recommend.ModeMerged)
	if !slices.Contains(ids(batch.Items), "boots9") || slices.Contains(ids(merged.Items), "boots9") || slices.Contains(ids(live.Items), "boots9") {
		t.Errorf("the item just viewed: batch %v, live %v, merged %v", ids(batch.Items), ids(live.Items), ids(merged.Items))
	}
	if slices.Contains(ids(merged.Items), "boots0") || slices.Contains(ids(batch.Items), "boots0") || !slices.Contains(ids(live.Items), "boots0") {
		t.Errorf("the item viewed long ago: batch %v, live %v, merged %v", ids(batch.Items), ids(live.Items), ids(merged.Items))
	}
	if a, b := share(batch.Items[:10], "socks"), share(merged.Items[:10], "socks"); b <= a {
		t.Errorf("socks among the first ten: batch %d, merged %d", a, b)
	}
	if batch.Vector != recommend.VectorBatch || merged.Vector != recommend.VectorFoldIn {
		t.Errorf("vectors: batch %s, merged %s", batch.Vector, merged.Vector)
	}
	if r := batch.Receipt; r.Live != LiveAbsent || r.Degraded || r.LiveOffsets != nil {
		t.Errorf("receipt of batch: %+v", r)
	}
	p := event.PartitionOf([]byte("u0"), partitions)
	if r := merged.Receipt; r.Live != LiveExact || r.Degraded || r.Cut != 1 || r.LiveOffsets[p] != int64(len(w.entries)) {
		t.Errorf("receipt of merged: %+v, want everything before offset %d of partition %d", r, len(w.entries), p)
	}
	seen := must(s.Recommend(t.Context(), Request{User: "u0", N: 40}))(t)
	if !slices.Contains(ids(seen.Items), "boots9") {
		t.Errorf("with seen items: %v", ids(seen.Items))
	}
}

func share(list []Item, category string) (n int) {
	for _, x := range list {
		if strings.HasPrefix(x.ItemID, category) {
			n++
		}
	}
	return n
}

func TestUnknownUserGetsTrending(t *testing.T) {
	w := newWorld(t)
	w.history(12)
	w.point(t, w.generation(t, 1, items()))
	w.act(1, "u1", "hats3", "view", time.Minute)
	w.act(1, "u2", "hats3", "view", time.Minute)
	w.live(t, "A", 0)
	s := w.serve(t)
	got := recommendTo(t, s, "who is this", "")
	if len(got.Items) != 20 || got.Items[0].ItemID != "hats3" || got.Items[0].Source != recommend.SourceTrending || got.Vector != recommend.VectorNone {
		t.Errorf("%d items, vector %s, first %+v", len(got.Items), got.Vector, got.Items[0])
	}
	if got.Mode != recommend.ModeMerged || got.Receipt.Live != LiveExact {
		t.Errorf("mode %s, receipt %+v", got.Mode, got.Receipt)
	}
}

func TestNoGenerationYet(t *testing.T) {
	w := newWorld(t)
	w.act(0, "u1", "hats3", "view", time.Minute)
	w.live(t, "A", 0)
	s := w.serve(t)
	for _, user := range []string{"u1", "u9"} {
		got := must(s.Recommend(t.Context(), Request{User: user, N: 5}))(t)
		if r := got.Receipt; r.Generation != "" || !r.Degraded || r.Reason != reasonNoGeneration || r.Live != LiveExact || r.Label != nil {
			t.Errorf("receipt %+v", r)
		}
		if len(got.Items) != 1 || got.Items[0].ItemID != "hats3" {
			t.Errorf("items %+v", got.Items)
		}
	}
	if s.Generation() != nil {
		t.Error("a generation out of nothing")
	}
	features := must(s.Features(t.Context(), "u1"))(t)
	if features.Features["views_1h"].String() != "1" {
		t.Errorf("features %v", features.Features)
	}
}

func TestUnknownItem(t *testing.T) {
	w := newWorld(t)
	w.history(3)
	w.point(t, w.generation(t, 1, items()))
	w.live(t, "A", 0)
	s := w.serve(t)
	if _, err := s.Similar(t.Context(), "tent", 5); api.CodeOf(err) != api.NotFound {
		t.Errorf("similar: %v", err)
	}
	if _, err := s.ItemFeatures(t.Context(), "tent"); api.CodeOf(err) != api.NotFound {
		t.Errorf("features: %v", err)
	}
	got := must(s.Similar(t.Context(), "hats1", 9))(t)
	if share(got.Items, "hats") != 9 || slices.Contains(ids(got.Items), "hats1") || got.Receipt.Degraded {
		t.Errorf("similar to hats1: %v, receipt %+v", ids(got.Items), got.Receipt)
	}
}

// TestGenerationBringsItsDefinitions serves a generation of other definitions than the process is configured
// with: it is answered by the generation's own, from the namespace that is theirs.
func TestGenerationBringsItsDefinitions(t *testing.T) {
	w := newWorld(t)
	w.history(3)
	w.act(1, "u0", "hats1", "view", time.Second)
	w.point(t, w.generation(t, 1, items()))
	w.live(t, "A", 0)
	other := feature.Catalogue{Features: w.feature.Features[1:2]}
	s := w.serve(t, func(c *Config) { c.Features = other })
	got := must(s.Features(t.Context(), "u0"))(t)
	if got.Receipt.Degraded || got.Receipt.Live != LiveExact || len(got.Features) < len(w.feature.Of(feature.User)) {
		t.Errorf("%d features, receipt %+v", len(got.Features), got.Receipt)
	}
	if n, _ := got.Features["events_7d"].Int64(); n != 5 {
		t.Errorf("events_7d is %v, want 5", got.Features["events_7d"])
	}
}
