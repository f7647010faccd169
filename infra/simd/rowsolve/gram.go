package rowsolve

import (
	"errors"
	"fmt"
	"math"

	"github.com/anabranch/anabranch/infra/simd"
)

const (
	// gramChunks bounds how many partial sums a Gram matrix has. It is a constant, and not the number of threads, so
	// that the order of summation and therefore the bytes of the result depend on the factors only.
	gramChunks = 64
	// gramBlock is how many rows are summed in float32 before the sum moves on to float64.
	gramBlock = 256
)

// Gram is the Gram matrix HᵀH of a set of factors: what every row's problem shares. It is immutable.
type Gram struct {
	dim, rows int
	packed    []float32
}

// NewGram computes the Gram matrix of row-major factors of dimension dim (rows = len(factors)/dim).
//
// The work is cut into parts that depend on the factors' shape only; each is called with their number and a function
// to run once for every part, in any order and at once if it likes; nil runs them one after another. The bytes of the
// result do not depend on it. An error names the first row that holds NaN or Inf.
func NewGram(factors []float32, dim int, each func(parts int, run func(part int))) (*Gram, error) {
	if dim < 1 || len(factors)%dim != 0 {
		return nil, fmt.Errorf("gram of %d floats with dimension %d: not a whole number of rows", len(factors), dim)
	}
	rows := len(factors) / dim
	size := max((rows+gramChunks-1)/gramChunks, gramBlock)
	partial := make([][]float64, (rows+size-1)/size)
	sum := func(part int) {
		lo, hi := part*size, min((part+1)*size, rows)
		partial[part] = sumOuter(factors[lo*dim:hi*dim], dim)
	}
	if each == nil {
		each = func(parts int, run func(int)) {
			for part := range parts {
				run(part)
			}
		}
	}
	each(len(partial), sum)
	total := make([]float64, simd.PackedLen(dim))
	for _, p := range partial {
		for i, v := range p {
			total[i] += v
		}
	}
	g := &Gram{dim: dim, rows: rows, packed: make([]float32, len(total))}
	for i, v := range total {
		g.packed[i] = float32(v)
	}
	if !finite(g.packed) {
		return nil, blame(factors, dim)
	}
	return g, nil
}

// Rows returns how many factors were summed: the N of the objective.
func (g *Gram) Rows() int { return g.rows }

// Dim returns the dimension of the factors.
func (g *Gram) Dim() int { return g.dim }

// Trace returns Σ over all pairs of rows of g's and h's factors of the squared inner product, tr(G·H): the implicit
// part of the objective without a loop over all pairs. Dimensions must agree.
func (g *Gram) Trace(h *Gram) float64 {
	var diagonal, lower float64
	for i := range g.dim {
		at := simd.PackedLen(i)
		for j := range i {
			lower += float64(g.packed[at+j]) * float64(h.packed[at+j])
		}
		diagonal += float64(g.packed[at+i]) * float64(h.packed[at+i])
	}
	return diagonal + 2*lower
}

// sumOuter returns the packed sum of the outer products of the rows of factors.
func sumOuter(factors []float32, dim int) []float64 {
	total := make([]float64, simd.PackedLen(dim))
	block := make([]float32, len(total))
	for len(factors) > 0 {
		n := min(gramBlock*dim, len(factors))
		clear(block)
		simd.Syrk(block, factors[:n], dim)
		for i, v := range block {
			total[i] += float64(v)
		}
		factors = factors[n:]
	}
	return total
}

// blame says why a Gram matrix is not finite.
func blame(factors []float32, dim int) error {
	for r := range len(factors) / dim {
		if !finite(factors[r*dim : r*dim+dim]) {
			return fmt.Errorf("factor row %d is not finite", r)
		}
	}
	return errors.New("the sum of the factors' outer products overflows float32")
}

func finite(x []float32) bool {
	for _, v := range x {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return false
		}
	}
	return true
}
