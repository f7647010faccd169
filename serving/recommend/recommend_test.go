package recommend

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

var sourceRank = map[Source]int{SourceMF: 0, SourceTrending: 1, SourcePopular: 2}

// small is a model of 6 items in two directions: i0, i1, i2 along x, i3, i4 along y, i5 without a vector. The catalogue lacks
// i2, says that i4 is sold out, and knows n1 and n2, which the model does not.
func small(t testing.TB, catalog ...Item) *Recommender {
	t.Helper()
	if catalog == nil {
		catalog = []Item{
			{"n2", "y", true},
			{"i0", "x", true},
			{"i1", "x", true},
			{"i3", "y", true},
			{"i4", "y", false},
			{"i5", "x", true},
			{"n1", "x", true},
		}
	}
	m := Model{
		ItemIDs:     []string{"i0", "i1", "i2", "i3", "i4", "i5"},
		ItemVectors: []float32{1, 0, .9, .1, .8, .01, 0, 1, .1, .9, 0, 0},
		Dim:         2,
		Params:      rowsolve.Params{Alpha0: .1, Lambda: .01, Nu: 1},
		Popularity:  []float32{1, 5, 2, 4, 9, 3},
		UserVector:  func(id string) ([]float32, bool) { return []float32{1, .1}, id == "known" },
	}
	r, err := New(m, catalog, DefaultTuning())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// line renders an answer as "item/source item/source …".
func line(items []Scored) string {
	var b strings.Builder
	for _, s := range items {
		fmt.Fprintf(&b, "%s/%s ", s.ItemID, s.Source)
	}
	return strings.TrimSpace(b.String())
}

func TestAnswersByHand(t *testing.T) {
	r := small(t)
	old, fresh := now-48*hour, int64(now-1000)
	view := func(item string, at int64) []Interaction { return []Interaction{{Item: item, Weight: 1, Time: at}} }
	for _, tc := range []struct {
		name   string
		q      Request
		want   string
		vector Vector
	}{
		{"a known user", Request{User: "known", N: 3}, "i0/mf i1/mf i2/mf", VectorBatch},
		{
			"fill: no vector, then catalogue only",
			Request{User: "known", N: 99},
			"i0/mf i1/mf i2/mf i3/mf i5/popular n1/popular n2/popular", VectorBatch,
		},
		{"an unknown user", Request{User: "new", N: 4}, "i1/popular i3/popular i5/popular i2/popular", VectorNone},
		{
			"trending first",
			Request{User: "new", N: 3, Trending: []ItemScore{{"i0", 1}, {"n2", 7}, {"i4", 9}, {"ghost", 8}}},
			"n2/trending i0/trending i1/popular", VectorNone,
		},
		{"a live view", Request{User: "new", N: 2, Live: view("i3", fresh)}, "i3/mf i1/mf", VectorFoldIn},
		{
			"a live view turns a known user",
			Request{User: "known", N: 1, History: view("i0", old), Live: view("i3", fresh)},
			"i3/mf", VectorFoldIn,
		},
		{"batch mode does not see it", Request{User: "known", N: 1, Live: view("i3", fresh), Mode: ModeBatch}, "i0/mf", VectorBatch},
		{
			"live mode sees nothing else",
			Request{User: "known", N: 1, History: view("i0", old), Live: view("i3", fresh), Mode: ModeLive},
			"i3/mf", VectorFoldIn,
		},
		{"live mode without events", Request{User: "known", N: 1, History: view("i0", old), Mode: ModeLive}, "i1/popular", VectorNone},
		{
			"seen, history and live",
			Request{User: "known", N: 2, History: view("i0", old), Live: view("i1", fresh), ExcludeSeen: true},
			"i2/mf i3/mf", VectorFoldIn,
		},
		{"seen by id, catalogue only", Request{
			User: "new", N: 1, Live: view("n2", fresh), ExcludeSeen: true,
			Trending: []ItemScore{{"n2", 2}, {"n1", 1}},
		}, "n1/trending", VectorNone},
		{"category", Request{User: "known", N: 9, Categories: []string{"y", "nosuch"}}, "i3/mf n2/popular", VectorBatch},
		{"no such category", Request{User: "known", N: 9, Categories: []string{"nosuch"}}, "", VectorBatch},
		{
			"useless weights",
			Request{User: "new", N: 1, Live: []Interaction{{Item: "i0", Weight: float32(math.NaN())}, {Item: "i0", Weight: -1}}},
			"i1/popular", VectorNone,
		},
		{"no item", Request{User: "known", N: 0}, "", VectorBatch},
		{"less than none", Request{User: "known", N: -1}, "", VectorBatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.q.Now = now
			got, err := r.Recommend(tc.q)
			if err != nil || got.FoldIn != nil {
				t.Fatal(err, got.FoldIn)
			}
			if diff := cmp.Diff(tc.want, line(got.Items)); diff != "" || got.Vector != tc.vector || got.Items == nil {
				t.Fatalf("vector %s, want %s; items (-want +got):\n%s", got.Vector, tc.vector, diff)
			}
		})
	}
	if _, err := r.Recommend(Request{Mode: "both"}); err == nil || !strings.Contains(err.Error(), `"both"`) {
		t.Fatalf("unknown mode: %v", err)
	}
}

// TestNothingButTrending: before the first generation, and without a catalogue, ids are taken as they come.
func TestNothingButTrending(t *testing.T) {
	r, err := New(Model{}, nil, DefaultTuning())
	if err != nil {
		t.Fatal(err)
	}
	q := Request{
		N: 1_000_000_000, Trending: []ItemScore{{"b", 1}, {"a", 1}, {"c", 5}, {"a", 1}, {"d", math.Inf(1)}},
		Live: []Interaction{{Item: "c", Weight: 1}}, ExcludeSeen: true,
	}
	got, err := r.Recommend(q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("a/trending b/trending", line(got.Items)); diff != "" {
		t.Fatal(diff)
	}
}

func TestSimilar(t *testing.T) {
	r := small(t)
	for _, tc := range []struct{ item, want string }{
		{"i0", "i2/mf i1/mf i5/popular n1/popular i3/popular n2/popular"}, // i3 is orthogonal
		{"i5", "i1/popular i0/popular n1/popular i3/popular i2/popular n2/popular"},
		{"n2", "i3/popular i1/popular i5/popular i2/popular i0/popular n1/popular"},
		{"i4", "i3/mf i1/mf i2/mf i0/mf n2/popular i5/popular n1/popular"},
	} {
		got, err := r.Similar(tc.item, 99)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, line(got)); diff != "" {
			t.Errorf("similar to %s:\n%s", tc.item, diff)
		}
		if short, err := r.Similar(tc.item, 2); err != nil || line(short) != line(got[:2]) {
			t.Errorf("two items similar to %s: %s, %v", tc.item, line(short), err)
		}
	}
	if _, err := r.Similar("ghost", 1); !errors.Is(err, ErrUnknownItem) {
		t.Fatalf("unknown item: %v", err)
	}
}

func TestTrendingIsFilledUp(t *testing.T) {
	r := small(t)
	trending := []ItemScore{{"i0", 4}, {"i4", 50}, {"n1", 3}}
	if got := line(r.Trending(trending, 3, nil)); got != "i0/trending n1/trending i1/popular" {
		t.Fatal(got)
	}
	if got := line(r.Trending(trending, 3, []string{"y"})); got != "i3/popular n2/popular" {
		t.Fatal(got)
	}
}

func TestWithCatalog(t *testing.T) {
	r := small(t)
	soldOut, err := r.WithCatalog([]Item{{"i0", "x", false}, {"n3", "x", true}})
	if err != nil {
		t.Fatal(err)
	}
	q := Request{User: "known", N: 9, Now: now}
	got, err := soldOut.Recommend(q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("i1/mf i2/mf i4/mf i3/mf i5/popular n3/popular", line(got.Items)); diff != "" {
		t.Fatal(diff)
	}
	if before, err := r.Recommend(q); err != nil || before.Items[0].ItemID != "i0" {
		t.Fatalf("the first recommender changed: %v, %v", before, err)
	}
}

func TestFailedFoldInFallsBack(t *testing.T) {
	m := small(t).model
	m.Params = rowsolve.Params{}
	m.ItemVectors = []float32{1e-30, 0, 1e-30, 0, 1, 0, 0, 1, 0, 1, 0, 0} // i0's square is 0 in float32
	m.ItemVectors[0], m.ItemVectors[1] = 1e-22, 1e-22
	r, err := New(m, nil, DefaultTuning())
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Recommend(Request{User: "known", N: 2, Now: now, Live: []Interaction{{Item: "i0", Weight: 1e-6, Time: now}}})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(got.FoldIn, rowsolve.ErrSingular) || got.Vector != VectorBatch || len(got.Items) != 2 {
		t.Fatalf("%+v", got)
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	good := small(t).model
	for _, tc := range []struct {
		want    string
		catalog []Item
		change  func(m *Model, tn *Tuning)
	}{
		{`item "i0" appears twice`, nil, func(m *Model, _ *Tuning) { m.ItemIDs = []string{"i0", "i0", "i2", "i3", "i4", "i5"} }},
		{`catalogue: item "a" appears twice`, []Item{{ID: "a"}, {ID: "b"}, {ID: "a"}}, func(*Model, *Tuning) {}},
		{"11 floats of item vectors", nil, func(m *Model, _ *Tuning) { m.ItemVectors = m.ItemVectors[:11] }},
		{"factor row 2 is not finite", nil, func(m *Model, _ *Tuning) { m.ItemVectors[4] = float32(math.NaN()) }},
		{"2 popularities for 6 items", nil, func(m *Model, _ *Tuning) { m.Popularity = m.Popularity[:2] }},
		{`popularity of item "i1" is -1`, nil, func(m *Model, _ *Tuning) { m.Popularity[1] = -1 }},
		{"dimension 0", nil, func(m *Model, _ *Tuning) { m.Dim = 0 }},
		{"lambda = -1", nil, func(m *Model, _ *Tuning) { m.Params.Lambda = -1 }},
		{"half-life", nil, func(_ *Model, tn *Tuning) { tn.HalfLife = 0 }},
		{"fresh boost", nil, func(_ *Model, tn *Tuning) { tn.FreshBoost = math.NaN() }},
		{"fresh share", nil, func(_ *Model, tn *Tuning) { tn.FreshShare = -1 }},
		{"max history", nil, func(_ *Model, tn *Tuning) { tn.MaxHistory = 0 }},
	} {
		m, tuning := good, DefaultTuning()
		m.ItemVectors, m.Popularity = slices.Clone(m.ItemVectors), slices.Clone(m.Popularity)
		tc.change(&m, &tuning)
		if _, err := New(m, tc.catalog, tuning); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v does not contain %q", err, tc.want)
		}
	}
}

// TestAnswersHoldTheirPromises draws requests against a trained world with holes in its catalogue.
func TestAnswersHoldTheirPromises(t *testing.T) {
	w := newWorld(60, 90, 6, 12, 8, 3)
	trained := w.recommender(t, 3)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"i", "i", "n", "ghost"}).Draw(t, "kind") + fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "id"))
		})
		catalog := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Item {
			return Item{
				ID:       strings.Replace(id.Draw(t, "item"), "ghost", "n", 1),
				Category: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "category"), Available: rapid.Bool().Draw(t, "available"),
			}
		}), 1, 60, func(it Item) string { return it.ID }).Draw(t, "catalogue")
		r, err := trained.WithCatalog(catalog)
		if err != nil {
			t.Fatal(err)
		}
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Interaction {
			return Interaction{
				Item: id.Draw(t, "item"), Weight: rapid.SampledFrom([]float32{-1, 0, 1, 5}).Draw(t, "weight"),
				Time: now - rapid.Int64Range(-hour, 100*hour).Draw(t, "age"),
			}
		}), 0, 30)
		q := Request{
			User: fmt.Sprint("u", rapid.IntRange(0, 80).Draw(t, "user")), Now: now,
			History: events.Draw(t, "history"), Live: events.Draw(t, "live"),
			Trending: rapid.SliceOf(rapid.Custom(func(t *rapid.T) ItemScore {
				return ItemScore{id.Draw(t, "trending"), float64(rapid.IntRange(0, 3).Draw(t, "score"))}
			})).Draw(t, "trending"),
			N:           rapid.IntRange(-1, 120).Draw(t, "n"),
			ExcludeSeen: rapid.Bool().Draw(t, "exclude seen"),
			Categories:  rapid.SampledFrom([][]string{nil, nil, {"a"}, {"a", "b"}, {""}}).Draw(t, "categories"),
			Mode:        rapid.SampledFrom([]Mode{"", ModeBatch, ModeLive, ModeMerged}).Draw(t, "mode"),
		}
		got, err := r.Recommend(q)
		if err != nil || got.FoldIn != nil {
			t.Fatal(err, got.FoldIn)
		}
		eligible := eligibleItems(w, catalog, q)
		if want := min(max(q.N, 0), len(eligible)); len(got.Items) != want {
			t.Fatalf("%d items, want %d: n = %d of %d eligible", len(got.Items), want, q.N, len(eligible))
		}
		once := map[string]bool{}
		for k, s := range got.Items {
			if once[s.ItemID] || !eligible[s.ItemID] {
				t.Fatalf("item %s: twice %v, eligible %v", s.ItemID, once[s.ItemID], eligible[s.ItemID])
			}
			once[s.ItemID] = true
			if k == 0 {
				continue
			}
			prev := got.Items[k-1]
			if sourceRank[prev.Source] > sourceRank[s.Source] || (prev.Source == s.Source && prev.Score < s.Score) {
				t.Fatalf("%+v stands before %+v", prev, s)
			}
		}
		again, err := r.Recommend(q)
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Fatalf("the same request, another answer: %v\n%s", err, diff)
		}
	})
}

// eligibleItems is the package comment's definition, item by item.
func eligibleItems(w *world, catalog []Item, q Request) map[string]bool {
	items := map[string]Item{}
	for i := range w.items {
		id := fmt.Sprint("i", i)
		items[id] = Item{ID: id, Available: true}
	}
	for _, it := range catalog {
		items[it.ID] = it
	}
	out := map[string]bool{}
	for id, it := range items {
		seen := slices.ContainsFunc(slices.Concat(q.History, q.Live), func(in Interaction) bool { return in.Item == id })
		if it.Available && (!q.ExcludeSeen || !seen) && (len(q.Categories) == 0 || slices.Contains(q.Categories, it.Category)) {
			out[id] = true
		}
	}
	return out
}

// TestTheCutMovesNothing: as long as something is live, the side of the cut on which an interaction lies does not matter,
// nor does the order in which interactions arrive.
func TestTheCutMovesNothing(t *testing.T) {
	w := newWorld(60, 90, 6, 12, 8, 3)
	r := w.recommender(t, 3)
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.IntRange(0, w.users-1).Draw(t, "user")
		all := w.past(u)
		for range rapid.IntRange(2, 9).Draw(t, "live") {
			all = append(all, Interaction{
				Item: fmt.Sprint("i", rapid.IntRange(0, w.items-1).Draw(t, "item")), Weight: 1,
				Time: now - rapid.Int64Range(0, hour).Draw(t, "age"),
			})
		}
		ask := func(cut int, all []Interaction) Result {
			got, err := r.Recommend(Request{User: fmt.Sprint("u", u), History: all[:cut], Live: all[cut:], Now: now, N: 20})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		want := ask(1, all)
		got := ask(rapid.IntRange(1, len(all)-1).Draw(t, "cut"), rapid.Permutation(all).Draw(t, "order"))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestOldHistoryIsTheTrainedVector: when nothing is recent, folding in gives what training gave.
func TestOldHistoryIsTheTrainedVector(t *testing.T) {
	w := newWorld(60, 90, 6, 12, 8, 3)
	r := w.recommender(t, 3)
	for u := range w.users {
		q := Request{User: fmt.Sprint("u", u), Now: now + 9999*hour, N: 30}
		trained, err := r.Recommend(q)
		if err != nil {
			t.Fatal(err)
		}
		q.User, q.History = "stranger", w.past(u)
		folded, err := r.Recommend(q)
		if err != nil {
			t.Fatal(err)
		}
		if folded.Vector != VectorFoldIn || trained.Vector != VectorBatch {
			t.Fatalf("vectors %s and %s", folded.Vector, trained.Vector)
		}
		if diff := cmp.Diff(trained.Items, folded.Items); diff != "" {
			t.Fatalf("user %d (-trained +folded in):\n%s", u, diff)
		}
	}
}

func TestRecent(t *testing.T) {
	in := []entry{{item: 3, time: 9}, {item: 3, time: 8}, {item: 1, time: 7}, {item: 3, time: 6}, {item: 2, time: 5}, {item: 1, time: 4}}
	if got := recent(in, 2); len(got) != 4 {
		t.Fatalf("kept %v, want the first 4", got)
	}
	if got := recent(in, 3); len(got) != 6 {
		t.Fatalf("kept %v, want all", got)
	}
}

// BenchmarkRecommend is 2,000 items, d = 32 and a history of about 200 items, folded in.
func BenchmarkRecommend(b *testing.B) {
	w := newWorld(300, 2000, 20, 400, 32, 1)
	r := w.recommender(b, 2)
	q := Request{User: "u1", History: w.past(1), Now: now, N: 20, ExcludeSeen: true, Live: []Interaction{{Item: "i7", Weight: 1, Time: now}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Recommend(q); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(q.History)), "history")
}
