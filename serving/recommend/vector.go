package recommend

import (
	"cmp"
	"math"
	"slices"

	"github.com/anabranch/anabranch/infra/simd"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

// entry is an interaction with an item that has a vector.
type entry struct {
	item   int32
	time   int64
	weight float32
}

// userVector returns the vector to score with, nil when there is none. It may live in the scratch memory.
func (r *Recommender) userVector(q *Request, s *scratch) ([]float32, Vector, error) {
	history, live := q.part()
	var trained []float32
	if q.Mode != ModeLive {
		trained = r.model.user(q.User)
	}
	if isZero(trained) {
		trained = nil
	}
	if len(live) == 0 && trained != nil {
		return trained, VectorBatch, nil
	}
	r.gather(s, q.Now, history, live)
	if len(s.items) == 0 {
		if trained != nil {
			return trained, VectorBatch, nil
		}
		return nil, VectorNone, nil
	}
	solved, err := r.solve(s)
	switch {
	case err != nil && trained != nil:
		return trained, VectorBatch, err
	case err != nil:
		return nil, VectorNone, err
	case trained != nil && len(history) == 0:
		// The view of this user's history is missing, not empty: the trained vector stands for it.
		simd.Axpy(1, trained, solved)
	}
	return solved, VectorFoldIn, nil
}

// gather fills s.items and s.weights with the row to solve: distinct items in ascending order, weighted by age.
func (r *Recommender) gather(s *scratch, now int64, parts ...[]Interaction) {
	s.entries, s.items, s.weights = s.entries[:0], s.items[:0], s.weights[:0]
	for _, part := range parts {
		for _, in := range part {
			i, ok := r.index[in.Item]
			if ok && int(i) < len(r.norms) && r.norms[i] > 0 && in.Weight > 0 && in.Weight <= math.MaxFloat32 {
				s.entries = append(s.entries, entry{item: i, time: in.Time, weight: in.Weight})
			}
		}
	}
	// A total order, so that neither the order of arrival nor the side of the cut changes a bit of the sums.
	slices.SortFunc(s.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(a.item, b.item), cmp.Compare(a.weight, b.weight))
	})
	s.entries = recent(s.entries, r.tuning.MaxHistory)
	slices.SortStableFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.item, b.item) })
	for k := 0; k < len(s.entries); {
		item, sum := s.entries[k].item, 0.0
		for ; k < len(s.entries) && s.entries[k].item == item; k++ {
			sum += r.tuning.weight(s.entries[k].weight, s.entries[k].time, now, len(s.entries))
		}
		s.items = append(s.items, item)
		s.weights = append(s.weights, float32(min(sum, math.MaxFloat32)))
	}
}

// recent cuts entries, latest first, before the interaction that would bring in one distinct item more than limit.
func recent(entries []entry, limit int) []entry {
	if len(entries) <= limit {
		return entries
	}
	distinct := make(map[int32]struct{}, limit)
	for k, e := range entries {
		if _, ok := distinct[e.item]; !ok && len(distinct) == limit {
			return entries[:k]
		}
		distinct[e.item] = struct{}{}
	}
	return entries
}

// solve folds the gathered row in.
func (r *Recommender) solve(s *scratch) ([]float32, error) {
	if s.solver == nil {
		s.solver, s.vector = rowsolve.NewSolver(r.model.Dim), make([]float32, r.model.Dim)
	}
	err := s.solver.Solve(s.vector, r.model.ItemVectors, r.gram, s.items, s.weights, r.model.Params)
	return s.vector, err
}

func isZero(x []float32) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}
