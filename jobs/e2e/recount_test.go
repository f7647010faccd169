package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// recount answers for features by looping over all events that count, each exactly once: the window
// sentence of the design and nothing else.
type recount struct {
	byUser, byItem map[string][]event.Event
	total          int
}

func newRecount(lists ...[]event.Event) *recount {
	r := &recount{byUser: map[string][]event.Event{}, byItem: map[string][]event.Event{}}
	for _, list := range lists {
		for _, e := range list {
			r.byUser[e.UserID] = append(r.byUser[e.UserID], e)
			r.byItem[e.ItemID] = append(r.byItem[e.ItemID], e)
			r.total++
		}
	}
	return r
}

// readEvents reads a file of events.
func readEvents(t *testing.T, path string) []event.Event {
	t.Helper()
	r, err := eventfile.OpenEvents(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []event.Event
	for row, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row.Record)
	}
	return out
}

// inWindow reports whether a window read at t takes an event of time e: whole tiles, from the one that
// contains t − W to the one that contains t.
func inWindow(w feature.Window, e, t int64) bool {
	if w == feature.Lifetime {
		return true
	}
	tileOf := func(x int64) float64 { return math.Floor(float64(x) / float64(w.Tile())) }
	return tileOf(e) >= tileOf(t-int64(w)) && tileOf(e) <= tileOf(t)
}

// differences compares an answer with the recount of the entity's events and returns a sentence for
// each feature that is wrong. It looks at counts and at lists of what was done to which item; all other
// features are left to the tests of the engines, where the oracle knows them.
func differences(f features, entity feature.Entity, events []event.Event) ([]string, error) {
	catalogue, err := feature.Default()
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, d := range catalogue.Of(entity) {
		var in []event.Event
		for _, e := range events {
			if d.Takes(e.Type) && inWindow(d.Window, int64(e.Time), int64(f.Receipt.ReadAt)) {
				in = append(in, e)
			}
		}
		if len(d.From.Where) > 0 || d.By != "" {
			continue
		}
		var want any
		latest := newestFirst(in)
		switch {
		case d.Aggregate == feature.Count:
			want = len(in)
		case d.Aggregate == feature.Last && d.Of == "item_id" && len(latest) > 0:
			want = latest[0].Item
		case d.Aggregate == feature.First && d.Of == "item_id" && len(latest) > 0:
			want = latest[len(latest)-1].Item
		case d.Aggregate == feature.LastN && d.Of == "item_id":
			items := []string{}
			for _, x := range latest[:min(d.N, len(latest))] {
				items = append(items, x.Item)
			}
			want = items
		case d.Aggregate == feature.LastN && d.Of == feature.Interaction:
			want = latest[:min(d.N, len(latest))]
		case (d.Aggregate == feature.Last || d.Aggregate == feature.First) && len(latest) == 0:
		default:
			continue
		}
		text, err := json.Marshal(want)
		if err != nil {
			return nil, err
		}
		if got := string(f.Features[d.Name]); got != string(text) {
			wrong = append(wrong, fmt.Sprintf("%s is %.400s, the recount says %.400s", d.Name, got, text))
		}
	}
	return wrong, nil
}

func newestFirst(events []event.Event) []agg.Interaction {
	out := make([]agg.Interaction, len(events))
	for i, e := range events {
		out[i] = agg.Interaction{Item: e.ItemID, Type: e.Type, Value: e.Value, Time: int64(e.Time), Seq: int64(i)}
	}
	slices.SortFunc(out, func(a, b agg.Interaction) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Seq, a.Seq))
	})
	return out
}

// check compares the features of everybody and everything that has events with the recount, each
// as soon as its answer says that it knows the log up to ends. It returns the generations seen.
func (r *recount) check(ctx context.Context, t *testing.T, c *client, ends map[int32]int64, who ...string) map[string]bool {
	t.Helper()
	if len(who) == 0 {
		who = slices.Sorted(maps.Keys(r.byUser))
	}
	seen := map[string]bool{}
	for _, id := range who {
		f := answerThatKnows(ctx, t, ends, func() (features, error) { return c.user(ctx, id) })
		seen[f.Receipt.Generation] = true
		report(t, "user "+id, f, feature.User, r.byUser[id])
	}
	for i := range crowdItems {
		id := fmt.Sprint("i", i+1)
		f := answerThatKnows(ctx, t, ends, func() (features, error) { return c.item(ctx, id) })
		seen[f.Receipt.Generation] = true
		report(t, "item "+id, f, feature.Item, r.byItem[id])
	}
	return seen
}

func report(t *testing.T, what string, f features, entity feature.Entity, events []event.Event) {
	t.Helper()
	wrong, err := differences(f, entity, events)
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range wrong {
		t.Errorf("%s (generation %s, cut %d): %s", what, f.Receipt.Generation, f.Receipt.Cut, sentence)
	}
}

// answerThatKnows asks until the answer is exact and holds everything before ends.
func answerThatKnows(ctx context.Context, t *testing.T, ends map[int32]int64, ask func() (features, error)) (f features) {
	t.Helper()
	err := until(ctx, "an answer is exact and up to date", func() (ok bool, err error) {
		if f, err = ask(); err != nil {
			return false, err
		}
		if !f.Receipt.knows(ends) {
			return false, fmt.Errorf("the receipt says %+v, the log ends at %v", f.Receipt, ends)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
