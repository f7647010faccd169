package rowsolve

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func drawFactors(t *rapid.T, n, d int) []float32 {
	return rapid.SliceOfN(rapid.Float32Range(-1, 1), n*d, n*d).Draw(t, "factors")
}

// objective is the loss of one row, written as the package comment states it.
func objective(x []float64, factors []float32, d int, entries []int32, weights []float32, p Params) float64 {
	n := len(factors) / d
	dot := func(i int) (s float64) {
		for k := range d {
			s += x[k] * float64(factors[i*d+k])
		}
		return s
	}
	var loss, norm float64
	for k, e := range entries {
		r := dot(int(e)) - 1
		loss += float64(weights[k]) * r * r
	}
	for i := range n {
		loss += p.Alpha0 * dot(i) * dot(i)
	}
	for _, v := range x {
		norm += v * v
	}
	return loss + p.Lambda*math.Pow(float64(len(entries))+p.Alpha0*float64(n), p.Nu)*norm
}

// TestSolutionIsTheMinimum moves the solution along random directions: the objective must not fall.
func TestSolutionIsTheMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, n := rapid.IntRange(1, 9).Draw(t, "d"), rapid.IntRange(1, 90).Draw(t, "n")
		factors := drawFactors(t, n, d)
		p := Params{
			Alpha0: rapid.Float64Range(.01, 1).Draw(t, "alpha0"),
			Lambda: rapid.Float64Range(.01, 1).Draw(t, "lambda"),
			Nu:     rapid.Float64Range(0, 1).Draw(t, "nu"),
		}
		entries := rapid.SliceOfNDistinct(rapid.Int32Range(0, int32(n-1)), 1, n, rapid.ID).Draw(t, "entries")
		weights := rapid.SliceOfN(rapid.Float32Range(.1, 9), len(entries), len(entries)).Draw(t, "weights")
		gram, err := NewGram(factors, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, d)
		if err := FoldIn(factors, gram, entries, weights, p, got); err != nil {
			t.Fatal(err)
		}
		x := make([]float64, d)
		for i, v := range got {
			x[i] = float64(v)
		}
		best := objective(x, factors, d, entries, weights, p)
		for range 8 {
			step := rapid.SliceOfN(rapid.Float64Range(-.05, .05), d, d).Draw(t, "step")
			moved := slices.Clone(x)
			for i := range moved {
				moved[i] += step[i]
			}
			if l := objective(moved, factors, d, entries, weights, p); l < best-1e-4*(1+best) {
				t.Fatalf("objective falls from %v to %v when the solution moves by %v", best, l, step)
			}
		}
	})
}

func TestGramIsTheSameInAnyOrder(t *testing.T) {
	const d, n = 5, 3*gramBlock + 17
	factors := make([]float32, n*d)
	for i := range factors {
		factors[i] = float32(math.Sin(float64(i)))
	}
	one, err := NewGram(factors, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	many, err := NewGram(factors, d, func(parts int, run func(int)) {
		if parts < 2 {
			t.Fatalf("only %d part: the test proves nothing", parts)
		}
		var wg sync.WaitGroup
		for part := parts - 1; part >= 0; part-- {
			wg.Go(func() { run(part) })
		}
		wg.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one.packed, many.packed) {
		t.Fatal("the Gram matrix depends on the order in which its parts ran")
	}
	if one.Rows() != n || one.Dim() != d {
		t.Fatalf("gram of %d×%d, want %d×%d", one.Rows(), one.Dim(), n, d)
	}
	var want float64 // Σ over all pairs of (h·h')²
	for i := range n {
		for j := range n {
			var dot float64
			for k := range d {
				dot += float64(factors[i*d+k]) * float64(factors[j*d+k])
			}
			want += dot * dot
		}
	}
	if got := one.Trace(many); math.Abs(got-want) > 1e-5*want {
		t.Fatalf("Trace = %v, want %v", got, want)
	}
}

func TestRowWithoutEntriesIsZero(t *testing.T) {
	gram, err := NewGram([]float32{1, 2, 3, 4}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := []float32{7, 7}
	if err := FoldIn([]float32{1, 2, 3, 4}, gram, nil, nil, Params{}, dst); err != nil {
		t.Fatal(err)
	}
	if dst[0] != 0 || dst[1] != 0 {
		t.Fatalf("got %v, want zeros", dst)
	}
}

// TestRaisedDiagonal: two identical factors and no regularisation make a system of rank one; the raised diagonal must
// still find a vector that predicts 1.
func TestRaisedDiagonal(t *testing.T) {
	factors := []float32{1, 2, 1, 2}
	gram, err := NewGram(factors, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, 2)
	if err := FoldIn(factors, gram, []int32{0, 1}, []float32{1, 1}, Params{}, dst); err != nil {
		t.Fatal(err)
	}
	if got := dst[0] + 2*dst[1]; math.Abs(float64(got-1)) > 1e-2 {
		t.Fatalf("predicts %v, want 1 (vector %v)", got, dst)
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	factors := []float32{0, 0, 0, 0}
	gram, err := NewGram(factors, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	for _, tc := range []struct {
		name    string
		factors []float32
		entries []int32
		weights []float32
		dst     int
		want    string
	}{
		{"all zero", factors, []int32{0}, []float32{1}, 2, "singular"},
		{"index", factors, []int32{2}, []float32{1}, 2, "outside [0, 2)"},
		{"weight nan", factors, []int32{1}, []float32{nan}, 2, "weight of entry 0 is NaN"},
		{"weight zero", factors, []int32{1}, []float32{0}, 2, "must be positive"},
		{"lengths", factors, []int32{1}, nil, 2, "1 entries with 0 weights"},
		{"destination", factors, nil, nil, 3, "must agree"},
		{"other factors", factors[:2], nil, nil, 2, "made of 2×2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := FoldIn(tc.factors, gram, tc.entries, tc.weights, Params{}, make([]float32, tc.dst))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want one that contains %q", err, tc.want)
			}
			if tc.name == "all zero" && !errors.Is(err, ErrSingular) {
				t.Fatalf("got %v, want ErrSingular", err)
			}
		})
	}
	if _, err := NewGram([]float32{1, 1, nan, 1}, 2, nil); err == nil || !strings.Contains(err.Error(), "row 1") {
		t.Fatalf("NewGram with NaN in row 1: %v", err)
	}
	if _, err := NewGram([]float32{1, 1, 1}, 2, nil); err == nil {
		t.Fatal("NewGram accepted one row and a half")
	}
}

func TestParamsValidate(t *testing.T) {
	if err := (Params{Alpha0: .1, Lambda: .01, Nu: 1}).Validate(); err != nil {
		t.Fatal(err)
	}
	for want, p := range map[string]Params{
		"alpha0": {Alpha0: -1}, "lambda": {Lambda: math.NaN()}, "nu": {Nu: 3},
	} {
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v does not name %s", p, err, want)
		}
	}
}
