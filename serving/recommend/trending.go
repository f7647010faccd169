package recommend

import (
	"cmp"
	"math"
	"slices"
)

// Trending returns the n most trending eligible items, filled up by popularity.
func (r *Recommender) Trending(trending []ItemScore, n int, categories []string) []Scored {
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	l := r.newList(s, n, categories)
	l.fillTrending(trending)
	l.fillPopular()
	return l.items
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
