package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

const eps = 1.0 / (1 << 23) // distance from 1 to the next float32

func drawVec(t *rapid.T, n int, name string) []float32 {
	return rapid.SliceOfN(rapid.Float32Range(-100, 100), n, n).Draw(t, name)
}

// near fails unless got is within the rounding that n additions of total magnitude mag may cost.
func near(t *rapid.T, what string, got float32, want, mag float64, n int) {
	t.Helper()
	bound := float64(n+4)*eps*mag + 1e-30
	if diff := math.Abs(float64(got) - want); !(diff <= bound) {
		t.Fatalf("%s = %v, want %v: off by %g, allowed %g", what, got, want, diff, bound)
	}
}

func TestDotMatchesFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "n")
		x, y := drawVec(t, n, "x"), drawVec(t, n, "y")
		var want, mag float64
		for i := range x {
			p := float64(x[i]) * float64(y[i])
			want, mag = want+p, mag+math.Abs(p)
		}
		near(t, "Dot", Dot(x, y), want, mag, n)
	})
}

func TestAxpyAndScaleMatchFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 70).Draw(t, "n")
		x, y := drawVec(t, n, "x"), drawVec(t, n, "y")
		alpha := rapid.Float32Range(-10, 10).Draw(t, "alpha")
		got := append([]float32(nil), y...)
		Axpy(alpha, x, got)
		scaled := make([]float32, n)
		ScaleTo(scaled, alpha, x)
		for i := range x {
			p := float64(alpha) * float64(x[i])
			near(t, fmt.Sprintf("Axpy[%d]", i), got[i], float64(y[i])+p, math.Abs(p)+math.Abs(float64(y[i])), 1)
			near(t, fmt.Sprintf("ScaleTo[%d]", i), scaled[i], p, math.Abs(p), 1)
		}
	})
}

func TestScoreRowsIsDotOfEachRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(0, 9).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "d")
		rows, q := drawVec(t, n*d, "rows"), drawVec(t, d, "q")
		got := make([]float32, n)
		ScoreRows(got, rows, d, q)
		for r := range got {
			if want := Dot(rows[r*d:(r+1)*d], q); got[r] != want {
				t.Fatalf("row %d: %v, want %v", r, got[r], want)
			}
		}
	})
}

func TestSyrkMatchesFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(0, 11).Draw(t, "n"), rapid.IntRange(1, 17).Draw(t, "d")
		panel := drawVec(t, n*d, "panel")
		start := drawVec(t, PackedLen(d), "a")
		syrk, syr := append([]float32(nil), start...), append([]float32(nil), start...)
		Syrk(syrk, panel, d)
		for r := range n {
			Syr(syr, 1, panel[r*d:(r+1)*d])
		}
		for i := range d {
			for j := range i + 1 {
				at := PackedLen(i) + j
				want, mag := float64(start[at]), math.Abs(float64(start[at]))
				for r := range n {
					p := float64(panel[r*d+i]) * float64(panel[r*d+j])
					want, mag = want+p, mag+math.Abs(p)
				}
				near(t, fmt.Sprintf("Syrk[%d,%d]", i, j), syrk[at], want, mag, n)
				near(t, fmt.Sprintf("Syr[%d,%d]", i, j), syr[at], want, mag, n)
			}
		}
	})
}

// TestCholeskySolves checks the residual of A·x = b, which is what the kernels promise (backward stability); the
// forward error depends on how well A is conditioned.
func TestCholeskySolves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 33).Draw(t, "d")
		panel := drawVec(t, 2*d*d, "panel")
		b := drawVec(t, d, "b")
		a := make([]float32, PackedLen(d))
		Syrk(a, panel, d)
		for i := range d {
			a[PackedLen(i)+i] += 1
		}
		l, x := append([]float32(nil), a...), append([]float32(nil), b...)
		if bad := Cholesky(l, d); bad >= 0 {
			t.Fatalf("pivot %d failed on a positive definite matrix of order %d", bad, d)
		}
		SolveLower(l, x)
		SolveUpper(l, x)
		var normA, normX float64
		for _, v := range a {
			normA = math.Max(normA, math.Abs(float64(v)))
		}
		for _, v := range x {
			normX = math.Max(normX, math.Abs(float64(v)))
		}
		for i := range d {
			r := -float64(b[i])
			for j := range d {
				r += float64(a[PackedLen(max(i, j))+min(i, j)]) * float64(x[j])
			}
			bound := 8 * eps * float64(d*d) * (normA*normX + 100)
			if !(math.Abs(r) <= bound) {
				t.Fatalf("residual %d is %g, allowed %g", i, r, bound)
			}
		}
	})
}

func TestCholeskyNamesTheBadPivot(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, tc := range []struct {
		name string
		a    []float32
		d    int
		want int
	}{
		{"good", []float32{4, 2, 5}, 2, -1},
		{"singular", []float32{1, 1, 1}, 2, 1},
		{"negative", []float32{-1, 0, 1}, 2, 0},
		{"nan", []float32{1, nan, 1}, 2, 1},
		{"infinite", []float32{1, 0, inf}, 2, 1},
		{"empty", nil, 0, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Cholesky(tc.a, tc.d); got != tc.want {
				t.Fatalf("Cholesky returned %d, want %d", got, tc.want)
			}
		})
	}
}

func randVec(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, n)
	for i := range v {
		v[i] = rng.Float32() - .5
	}
	return v
}

func BenchmarkSyrk(b *testing.B) {
	for _, d := range []int{32, 64, 128} {
		b.Run(fmt.Sprintf("d=%d", d), func(b *testing.B) {
			const rows = 64
			panel, a := randVec(rows*d), make([]float32, PackedLen(d))
			for b.Loop() {
				Syrk(a, panel, d)
			}
			b.ReportMetric(float64(b.N)*rows*float64(PackedLen(d))/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}

func BenchmarkCholesky(b *testing.B) {
	for _, d := range []int{32, 128} {
		b.Run(fmt.Sprintf("d=%d", d), func(b *testing.B) {
			a, l := make([]float32, PackedLen(d)), make([]float32, PackedLen(d))
			Syrk(a, randVec(2*d*d), d)
			for b.Loop() {
				copy(l, a)
				if Cholesky(l, d) >= 0 {
					b.Fatal("not positive definite")
				}
			}
		})
	}
}

func BenchmarkScoreRows(b *testing.B) {
	const n, d = 2000, 32
	rows, q, dst := randVec(n*d), randVec(d), make([]float32, n)
	for b.Loop() {
		ScoreRows(dst, rows, d, q)
	}
}
