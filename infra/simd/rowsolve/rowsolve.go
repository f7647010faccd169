// Package rowsolve solves one row of an implicit-feedback matrix factorization exactly. It is the step that training
// repeats for every user and item, and that serving repeats for one user whose history grew a moment ago. Both call
// the code in this package, so the same history gives the same vector, bit for bit.
//
// # The problem
//
// Let S be the n items that a user interacted with, c_i > 0 the weight of item i in S, h_i the item's vector, N the
// number of all items and G = Σ h·hᵀ over all of them. The user's vector x minimises (Rendle, Krichene, Zhang and Koren 2021,
// "Revisiting the performance of iALS on item recommendation benchmarks", with weights)
//
//	Σ_S c_i·(x·h_i − 1)²  +  α0·Σ_all (x·h_i)²  +  λ·(n + α0·N)^ν·|x|²
//
// which is the solution of the d×d system
//
//	(Σ_S c_i·h_i·h_iᵀ + α0·G + λ·(n + α0·N)^ν·I)·x  =  Σ_S c_i·h_i
//
// An item's vector solves the same problem with the sides exchanged.
//
// # Numbers
//
// Everything large is float32; the regularisation and the Gram sum are float64 until they are stored. The result
// depends on the order in which the row's entries are given: rows kept in ascending order of index are comparable.
package rowsolve

import (
	"errors"
	"fmt"
	"math"

	"github.com/anabranch/anabranch/infra/simd"
)

// panelRows is how many scaled factors are gathered before they are added to the system at once.
const panelRows = 64

// ErrSingular says that a row's system has no stable solution, even with its diagonal raised. Regularisation helps.
var ErrSingular = errors.New("the row's system is singular or not finite; raise lambda or alpha0, or check the weights")

// Params are the numbers of the objective that a row needs.
type Params struct {
	Alpha0 float64 // weight of every unobserved pair, α0 ≥ 0
	Lambda float64 // regularisation λ ≥ 0
	Nu     float64 // exponent ν in [0, 2] of the frequency that scales λ; 1 in most published settings
}

// Validate names the first field that is out of range.
func (p Params) Validate() error {
	for _, f := range []struct {
		name  string
		value float64
		most  float64
	}{
		{"alpha0", p.Alpha0, 1e6},
		{"lambda", p.Lambda, 1e6},
		{"nu", p.Nu, 2},
	} {
		if !(f.value >= 0 && f.value <= f.most) {
			return fmt.Errorf("%s = %v: must be in [0, %g]", f.name, f.value, f.most)
		}
	}
	return nil
}

// Regularization returns what is added to the diagonal for a row of n entries when the other side has total rows.
func (p Params) Regularization(n, total int) float64 {
	return p.Lambda * math.Pow(float64(n)+p.Alpha0*float64(total), p.Nu)
}

// Solver solves rows one after another in its own scratch memory. It is not safe for concurrent use.
type Solver struct {
	dim    int
	system []float32
	panel  []float32
}

// NewSolver returns a solver for vectors of dimension dim.
func NewSolver(dim int) *Solver {
	return &Solver{dim: dim, system: make([]float32, simd.PackedLen(dim)), panel: make([]float32, panelRows*dim)}
}

// Solve writes to dst (length dim) the solution for one row: entries are distinct rows of factors with a positive finite
// weight each. gram must be the Gram matrix of the same factors. A row without entries has the solution 0. When the
// system is not positive definite in float32, its diagonal is raised a little, three times at most; then [ErrSingular].
func (s *Solver) Solve(dst, factors []float32, gram *Gram, entries []int32, weights []float32, p Params) error {
	if err := s.check(dst, factors, gram, entries, weights); err != nil {
		return err
	}
	clear(dst)
	if len(entries) == 0 {
		return nil
	}
	s.assemble(dst, factors, gram, entries, weights, p)
	if s.factorAndSolve(dst) {
		return nil
	}
	for _, jitter := range []float64{1e-6, 1e-5, 1e-4} {
		s.assemble(dst, factors, gram, entries, weights, p)
		s.raise(jitter)
		if s.factorAndSolve(dst) {
			return nil
		}
	}
	clear(dst)
	return ErrSingular
}

// FoldIn is Solve with scratch memory of its own: the user half-step of training, for one user.
func FoldIn(factors []float32, gram *Gram, items []int32, weights []float32, p Params, dst []float32) error {
	return NewSolver(gram.dim).Solve(dst, factors, gram, items, weights, p)
}

func (s *Solver) check(dst, factors []float32, gram *Gram, entries []int32, weights []float32) error {
	switch {
	case gram.dim != s.dim || len(dst) != s.dim:
		return fmt.Errorf("solver of dimension %d, gram of %d, destination of %d: they must agree", s.dim, gram.dim, len(dst))
	case len(factors) != gram.rows*s.dim:
		return fmt.Errorf("%d floats of factors, but the gram matrix was made of %d×%d", len(factors), gram.rows, s.dim)
	case len(entries) != len(weights):
		return fmt.Errorf("%d entries with %d weights", len(entries), len(weights))
	}
	for i, e := range entries {
		if e < 0 || int(e) >= gram.rows {
			return fmt.Errorf("entry %d is %d: outside [0, %d)", i, e, gram.rows)
		}
		if w := weights[i]; !(w > 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("weight of entry %d is %v: must be positive and finite", i, w)
		}
	}
	return nil
}

// assemble builds the system and, in dst, its right-hand side. Factors are scaled by √c, so that one symmetric update
// serves any weights.
func (s *Solver) assemble(dst, factors []float32, gram *Gram, entries []int32, weights []float32, p Params) {
	d := s.dim
	simd.ScaleTo(s.system, float32(p.Alpha0), gram.packed)
	s.addDiagonal(float32(p.Regularization(len(entries), gram.rows)))
	clear(dst)
	for len(entries) > 0 {
		n := min(panelRows, len(entries))
		for k, e := range entries[:n] {
			root := float32(math.Sqrt(float64(weights[k])))
			row := s.panel[k*d : k*d+d]
			simd.ScaleTo(row, root, factors[int(e)*d:int(e)*d+d])
			simd.Axpy(root, row, dst)
		}
		simd.Syrk(s.system, s.panel[:n*d], d)
		entries, weights = entries[n:], weights[n:]
	}
}

// addDiagonal adds v to every entry of the diagonal.
func (s *Solver) addDiagonal(v float32) {
	for i := range s.dim {
		s.system[simd.PackedLen(i)+i] += v
	}
}

// raise adds a fraction of the mean of the diagonal to the diagonal.
func (s *Solver) raise(fraction float64) {
	var trace float64
	for i := range s.dim {
		trace += float64(s.system[simd.PackedLen(i)+i])
	}
	s.addDiagonal(float32(fraction * trace / float64(s.dim)))
}

// factorAndSolve turns the right-hand side in dst into the solution and reports whether that went well.
func (s *Solver) factorAndSolve(dst []float32) bool {
	if simd.Cholesky(s.system, s.dim) >= 0 {
		return false
	}
	simd.SolveLower(s.system, dst)
	simd.SolveUpper(s.system, dst)
	return finite(dst)
}
