package train

import (
	"fmt"
	"runtime"

	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

// The largest dimension and number of epochs that Validate accepts.
const (
	MaxDim    = 1024
	MaxEpochs = 1000
)

// Params say what to train. Everything but Threads changes the model.
type Params struct {
	Dim     int     // length of a vector, in [1, MaxDim]
	Epochs  int     // passes over both sides, in [1, MaxEpochs]
	Alpha0  float64 // weight of every unobserved pair
	Lambda  float64 // regularisation
	Nu      float64 // exponent of the frequency that scales Lambda
	Seed    uint64  // of the initial item vectors
	Threads int     // goroutines of the parallel loops; 0 means one a CPU; never changes the result
}

// Default returns parameters that do well on shops of some thousand items.
func Default() Params {
	return Params{Dim: 32, Epochs: 8, Alpha0: .1, Lambda: .01, Nu: 1, Seed: 1}
}

// Validate names the first field that is out of range.
func (p Params) Validate() error {
	switch {
	case p.Dim < 1 || p.Dim > MaxDim:
		return fmt.Errorf("dim = %d: must be in [1, %d]", p.Dim, MaxDim)
	case p.Epochs < 1 || p.Epochs > MaxEpochs:
		return fmt.Errorf("epochs = %d: must be in [1, %d]", p.Epochs, MaxEpochs)
	case p.Threads < 0:
		return fmt.Errorf("threads = %d: must not be negative", p.Threads)
	}
	return p.Row().Validate()
}

// Row returns the part of the parameters that one row's problem needs, for folding in.
func (p Params) Row() rowsolve.Params {
	return rowsolve.Params{Alpha0: p.Alpha0, Lambda: p.Lambda, Nu: p.Nu}
}

func (p Params) threads() int {
	if p.Threads == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return p.Threads
}
