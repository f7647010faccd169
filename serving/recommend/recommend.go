package recommend

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/infra/simd"
)

// Recommend answers a request. The only error is a request that means nothing (an unknown mode).
func (r *Recommender) Recommend(q Request) (Result, error) {
	if err := q.Mode.validate(); err != nil {
		return Result{}, fmt.Errorf("recommending: %w", err)
	}
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	l := r.newList(s, q.N, q.Categories)
	if q.ExcludeSeen {
		l.exclude(q.History)
		l.exclude(q.Live)
	}
	vector, origin, err := r.userVector(&q, s)
	if vector != nil {
		l.fillMF(vector)
	}
	l.fillTrending(q.Trending)
	l.fillPopular()
	return Result{Items: l.items, Vector: origin, FoldIn: err}, nil
}

// Trending returns the n most trending eligible items, filled up by popularity.
func (r *Recommender) Trending(trending []ItemScore, n int, categories []string) []Scored {
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	l := r.newList(s, n, categories)
	l.fillTrending(trending)
	l.fillPopular()
	return l.items
}

// list is an answer that is being filled.
type list struct {
	r     *Recommender
	s     *scratch
	n     int
	items []Scored
	// foreign holds ids without an index that are excluded or already in the list. It is used only without a catalogue.
	foreign map[string]bool
	filter  bool // there is a category filter
}

// newList marks everything that availability and the category filter exclude.
func (r *Recommender) newList(s *scratch, n int, categories []string) *list {
	l := &list{r: r, s: s, n: max(n, 0), filter: len(categories) > 0}
	if !r.openToAnyID {
		l.n = min(l.n, len(r.ids))
	}
	l.items = make([]Scored, 0, min(l.n, len(r.ids)))
	s.out = resize(s.out, len(r.ids))
	for i, ok := range r.available {
		s.out[i] = !ok
	}
	if l.filter {
		wanted := make([]bool, len(r.categories))
		for _, c := range categories {
			if k, ok := r.categories[c]; ok {
				wanted[k] = true
			}
		}
		for i, c := range r.category {
			s.out[i] = s.out[i] || !wanted[c]
		}
	}
	return l
}

func (l *list) exclude(seen []Interaction) {
	for _, in := range seen {
		if i, ok := l.r.index[in.Item]; ok {
			l.s.out[i] = true
		} else if l.r.openToAnyID {
			l.markForeign(in.Item)
		}
	}
}

func (l *list) markForeign(id string) {
	if l.foreign == nil {
		l.foreign = map[string]bool{}
	}
	l.foreign[id] = true
}

// add appends an item that is known by index.
func (l *list) add(i int32, score float32, source Source) {
	l.s.out[i] = true
	l.items = append(l.items, Scored{ItemID: l.r.ids[i], Score: score, Source: source})
}

// fillMF appends the best items with a vector.
func (l *list) fillMF(user []float32) {
	m := l.r.model
	l.s.scores = resize(l.s.scores, len(m.ItemIDs))
	simd.ScoreRows(l.s.scores, m.ItemVectors, m.Dim, user)
	l.fillBest(l.s.scores, func(i int) bool { return l.r.norms[i] > 0 })
}

// fillBest appends the eligible items of the model with the highest scores.
func (l *list) fillBest(scores []float32, takes func(i int) bool) {
	l.s.heap.Reset(min(l.n-len(l.items), len(scores)))
	for i, score := range scores {
		if !l.s.out[i] && takes(i) {
			l.s.heap.Offer(int32(i), score)
		}
	}
	for _, e := range l.s.heap.Sorted() {
		l.add(e.Index, e.Score, SourceMF)
	}
}

// fillTrending appends trending items until the list is full.
func (l *list) fillTrending(trending []ItemScore) {
	if len(l.items) >= l.n || len(trending) == 0 {
		return
	}
	for _, t := range l.r.sortTrending(trending) {
		if len(l.items) >= l.n {
			return
		}
		i, known := l.r.index[t.Item]
		switch {
		case known && !l.s.out[i]:
			l.add(i, float32(t.Score), SourceTrending)
		case !known && l.r.openToAnyID && !l.filter && !l.foreign[t.Item]:
			l.markForeign(t.Item)
			l.items = append(l.items, Scored{ItemID: t.Item, Score: float32(t.Score), Source: SourceTrending})
		}
	}
}

// fillPopular appends all eligible items, most popular first, until the list is full.
func (l *list) fillPopular() {
	l.fillPopularOf(func(int32) bool { return true })
}

func (l *list) fillPopularOf(takes func(i int32) bool) {
	for _, i := range l.r.byPop {
		if len(l.items) >= l.n {
			return
		}
		if !l.s.out[i] && takes(i) {
			l.add(i, l.r.popularity(i), SourcePopular)
		}
	}
}

// sortTrending returns the entries with a finite score, best first; ties by position, then by id.
func (r *Recommender) sortTrending(trending []ItemScore) []ItemScore {
	sorted := make([]ItemScore, 0, len(trending))
	for _, t := range trending {
		if !math.IsNaN(t.Score) && !math.IsInf(t.Score, 0) {
			sorted = append(sorted, t)
		}
	}
	position := func(id string) int {
		if i, ok := r.index[id]; ok {
			return int(i)
		}
		return len(r.ids)
	}
	slices.SortFunc(sorted, func(a, b ItemScore) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(position(a.Item), position(b.Item)), cmp.Compare(a.Item, b.Item))
	})
	return sorted
}

// MergeTrending adds up the scores of several lists, such as the partials of a topic's partitions, into one list in
// order of item. The order of the lists and of their entries does not matter.
func MergeTrending(parts ...[]ItemScore) []ItemScore {
	scores := map[string][]float64{}
	for _, part := range parts {
		for _, t := range part {
			scores[t.Item] = append(scores[t.Item], t.Score)
		}
	}
	out := make([]ItemScore, 0, len(scores))
	for item, list := range scores {
		slices.Sort(list)
		sum := 0.0
		for _, v := range list {
			sum += v
		}
		out = append(out, ItemScore{Item: item, Score: sum})
	}
	slices.SortFunc(out, func(a, b ItemScore) int { return cmp.Compare(a.Item, b.Item) })
	return out
}

// resize returns a slice of length n, in the same memory where it fits. The content is undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
