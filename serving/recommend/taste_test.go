package recommend

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestThreeViewsMoveTheTaste is the freshness promise: three views, a moment ago, in a category away from a user's taste
// raise the mean share of that category in the top 20 by at least .10, seen items included. It must hold for short and
// long histories, and must not throw the old taste away.
func TestThreeViewsMoveTheTaste(t *testing.T) {
	for _, tc := range []struct {
		name                       string
		categories, perUser, items int
	}{
		{"short histories", 12, 12, 600},
		{"middle histories", 12, 60, 600},
		{"long histories", 12, 200, 1200},
		{"many categories", 30, 60, 1200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(400, tc.items, tc.categories, tc.perUser, 24, 5)
			r := w.recommender(t, 5)
			before, after, kept := w.shares(t, r, 100)
			t.Logf("share of the new category: %.3f, after three views %.3f; loved categories keep %.3f", before, after, kept)
			if after-before < .10 {
				t.Errorf("the share moved from %.3f to %.3f: less than .10", before, after)
			}
			if kept < .15 {
				t.Errorf("the loved categories keep a share of only %.3f", kept)
			}
		})
	}
}

// shares returns the mean share of a category that the user does not love, before and after three views in it, and the
// share of the loved ones after.
func (w *world) shares(t *testing.T, r *Recommender, users int) (before, after, kept float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(2, 3))
	for u := range users {
		away := rng.IntN(w.categories)
		for away == w.loves[u][0] || away == w.loves[u][1] {
			away = rng.IntN(w.categories)
		}
		q := Request{User: fmt.Sprint("u", u), History: w.past(u), Now: now, N: 20}
		before += w.share(t, r, q, away)
		for k := range 3 {
			item := w.item(away, rng.IntN(w.items/w.categories))
			q.Live = append(q.Live, Interaction{Item: fmt.Sprint("i", item), Weight: 1, Time: now - int64(3-k)*1000})
		}
		after += w.share(t, r, q, away)
		kept += w.share(t, r, q, w.loves[u][0])
		if w.loves[u][1] != w.loves[u][0] {
			kept += w.share(t, r, q, w.loves[u][1])
		}
	}
	n := float64(users)
	return before / n, after / n, kept / n
}

// share returns the share of a category in an answer.
func (w *world) share(t *testing.T, r *Recommender, q Request, category int) float64 {
	t.Helper()
	got, err := r.Recommend(q)
	if err != nil || got.FoldIn != nil {
		t.Fatal(err, got.FoldIn)
	}
	hits := 0
	for _, s := range got.Items {
		var i int32
		if _, err := fmt.Sscanf(strings.TrimPrefix(s.ItemID, "i"), "%d", &i); err != nil {
			t.Fatal(err)
		}
		if w.category(i) == category {
			hits++
		}
	}
	return float64(hits) / float64(len(got.Items))
}
