package recommend

import (
	"fmt"

	"github.com/anabranch/anabranch/infra/simd"
)

// Similar returns the n items most like one item: by cosine of the vectors where it is positive, then the most popular
// of the same category, then the most popular of all. The item itself and unavailable ones are left out; an item that is
// itself unavailable still has similar ones. [ErrUnknownItem] when neither model nor catalogue know the item.
func (r *Recommender) Similar(item string, n int) ([]Scored, error) {
	at, ok := r.index[item]
	if !ok {
		return nil, fmt.Errorf("items similar to %q: %w", item, ErrUnknownItem)
	}
	s := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	l := r.newList(s, n, nil)
	s.out[at] = true
	if int(at) < len(r.norms) && r.norms[at] > 0 {
		l.fillCosine(at)
	}
	if c := r.category[at]; c != 0 {
		l.fillPopularOf(func(i int32) bool { return r.category[i] == c })
	}
	l.fillPopular()
	return l.items, nil
}

// fillCosine appends the items whose vectors point where the given item's does.
func (l *list) fillCosine(at int32) {
	m, norms := l.r.model, l.r.norms
	l.s.scores = resize(l.s.scores, len(m.ItemIDs))
	scores := l.s.scores
	simd.ScoreRows(scores, m.ItemVectors, m.Dim, m.row(at))
	for i := range scores {
		if norms[i] > 0 {
			scores[i] /= norms[i] * norms[at]
		}
	}
	l.fillBest(scores, func(i int) bool { return norms[i] > 0 && scores[i] > 0 })
}
