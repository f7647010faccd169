package eval

import (
	"github.com/anabranch/anabranch/batch/train"
	"github.com/anabranch/anabranch/infra/simd"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

// FoldInScorer scores as serving does: it solves the user's vector from a history and multiplies it with every item.
// It is not safe for concurrent use.
type FoldInScorer struct {
	items   []float32
	gram    *rowsolve.Gram
	solver  *rowsolve.Solver
	history train.CSR
	params  rowsolve.Params
	user    []float32
}

// NewFoldInScorer returns a scorer for trained item vectors (row-major, of dimension dim) and each user's history.
func NewFoldInScorer(items []float32, dim int, history train.CSR, p rowsolve.Params) (*FoldInScorer, error) {
	gram, err := rowsolve.NewGram(items, dim, nil)
	if err != nil {
		return nil, err
	}
	return &FoldInScorer{
		items: items, gram: gram, solver: rowsolve.NewSolver(dim), history: history, params: p, user: make([]float32, dim),
	}, nil
}

// Score implements [Scorer].
func (s *FoldInScorer) Score(user int32, dst []float32) error {
	items, weights := s.history.Row(int(user))
	if err := s.solver.Solve(s.user, s.items, s.gram, items, weights, s.params); err != nil {
		return err
	}
	simd.ScoreRows(dst, s.items, len(s.user), s.user)
	return nil
}

// Popularity scores an item by how many users interacted with it, for every user alike.
type Popularity struct{ counts []float32 }

// NewPopularity counts the users of each item of a users × items matrix.
func NewPopularity(m train.CSR) *Popularity {
	counts := make([]float32, m.Cols)
	for _, c := range m.Col {
		counts[c]++
	}
	return &Popularity{counts: counts}
}

// Score implements [Scorer].
func (p *Popularity) Score(_ int32, dst []float32) error {
	copy(dst, p.counts)
	return nil
}
