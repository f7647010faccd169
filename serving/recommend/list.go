package recommend

import "github.com/anabranch/anabranch/infra/simd"

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

// resize returns a slice of length n, in the same memory where it fits. The content is undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
