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
