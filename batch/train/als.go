package train

import (
	"context"
	"fmt"
	"math"

	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

// Model is a trained factorization: row-major vectors of dimension Dim.
type Model struct {
	Users, Items []float32
	Dim          int
}

// Epoch is what training reports after each epoch.
type Epoch struct {
	Number, Of int     // 1-based
	Loss       float64 // the objective of the package comment; it falls from epoch to epoch
}

// Train factorizes m, a matrix of users × items. progress, when not nil, is called after each epoch on the calling
// goroutine. An error says which row of which side it is about; a cancelled context ends with its error.
func Train(ctx context.Context, m CSR, p Params, progress func(Epoch)) (Model, error) {
	if err := p.Validate(); err != nil {
		return Model{}, fmt.Errorf("training parameters: %w", err)
	}
	if err := m.Validate(); err != nil {
		return Model{}, fmt.Errorf("training matrix: %w", err)
	}
	if m.Rows == 0 || m.Cols == 0 || m.NNZ() == 0 {
		return Model{}, fmt.Errorf("training matrix of %d users × %d items has %d entries: nothing to learn from", m.Rows, m.Cols, m.NNZ())
	}
	t := &trainer{p: p, users: m, items: m.Transpose()}
	t.model = Model{Users: make([]float32, m.Rows*p.Dim), Items: initial(m.Cols, p.Dim, p.Seed), Dim: p.Dim}
	if err := t.sumItems(); err != nil {
		return Model{}, err
	}
	for e := range p.Epochs {
		if err := t.epoch(ctx); err != nil {
			return Model{}, fmt.Errorf("training epoch %d of %d: %w", e+1, p.Epochs, err)
		}
		if progress != nil {
			progress(Epoch{Number: e + 1, Of: p.Epochs, Loss: t.loss()})
		}
	}
	if err := t.solveUsers(ctx); err != nil {
		return Model{}, fmt.Errorf("solving users for the final items: %w", err)
	}
	return t.model, nil
}

// SolveUsers returns the user vectors of m, a matrix of users × items, for fixed item vectors: the last step of Train,
// alone. It is for vectors of a history that is more complete than the one the items were trained on.
func SolveUsers(ctx context.Context, m CSR, items []float32, p Params) ([]float32, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("training parameters: %w", err)
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("user matrix: %w", err)
	}
	if len(items) != m.Cols*p.Dim {
		return nil, fmt.Errorf("%d floats of item vectors for %d items of dimension %d", len(items), m.Cols, p.Dim)
	}
	t := &trainer{p: p, users: m, model: Model{Users: make([]float32, m.Rows*p.Dim), Items: items, Dim: p.Dim}}
	if err := t.sumItems(); err != nil {
		return nil, err
	}
	if err := t.solveUsers(ctx); err != nil {
		return nil, err
	}
	return t.model.Users, nil
}

// trainer holds one training run.
type trainer struct {
	p                  Params
	users, items       CSR // the matrix and its transpose
	model              Model
	userGram, itemGram *rowsolve.Gram // of the current vectors
}

// epoch solves users, then items, each with the Gram matrix of the other side.
func (t *trainer) epoch(ctx context.Context) error {
	if err := t.solveUsers(ctx); err != nil {
		return err
	}
	var err error
	if t.userGram, err = t.gram(t.model.Users); err != nil {
		return fmt.Errorf("summing user vectors: %w", err)
	}
	if err := t.halfStep(ctx, "item", t.items, t.model.Users, t.userGram, t.model.Items); err != nil {
		return err
	}
	return t.sumItems()
}

func (t *trainer) sumItems() error {
	var err error
	if t.itemGram, err = t.gram(t.model.Items); err != nil {
		return fmt.Errorf("summing item vectors: %w", err)
	}
	return nil
}

func (t *trainer) solveUsers(ctx context.Context) error {
	return t.halfStep(ctx, "user", t.users, t.model.Items, t.itemGram, t.model.Users)
}

func (t *trainer) gram(factors []float32) (*rowsolve.Gram, error) {
	return rowsolve.NewGram(factors, t.p.Dim, func(parts int, run func(int)) {
		parallelParts(t.p.threads(), parts, run)
	})
}

// halfStep solves every row of m into dst, given the other side's factors.
func (t *trainer) halfStep(ctx context.Context, side string, m CSR, factors []float32, gram *rowsolve.Gram, dst []float32) error {
	d, p := t.p.Dim, t.p.Row()
	return parallelRows(ctx, t.p.threads(), m.Rows, func() func(int) error {
		solver := rowsolve.NewSolver(d)
		return func(r int) error {
			cols, vals := m.Row(r)
			if err := solver.Solve(dst[r*d:r*d+d], factors, gram, cols, vals, p); err != nil {
				return fmt.Errorf("solving %s row %d of %d entries: %w", side, r, len(cols), err)
			}
			return nil
		}
	})
}

// initial returns vectors of mean 0 and standard deviation .1/√dim, each number a hash of seed, row and column.
func initial(rows, dim int, seed uint64) []float32 {
	out := make([]float32, rows*dim)
	scale := .1 / math.Sqrt(float64(dim))
	for i := range out {
		row, col := uint64(i/dim), uint64(i%dim)
		out[i] = float32(normalish(mix(mix(seed+row)^col)) * scale)
	}
	return out
}

// normalish turns 64 random bits into a number of mean 0, variance 1 and nearly normal distribution: the sum of four
// uniform numbers (Irwin–Hall). It uses integers and one product, so that every machine gets the same bits.
func normalish(bits uint64) float64 {
	const sqrt3 = 1.7320508075688772
	sum := bits&0xffff + bits>>16&0xffff + bits>>32&0xffff + bits>>48
	return (float64(sum) - 2*0xffff) * (sqrt3 / 0xffff)
}

// mix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
