package recommend

import "fmt"

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
