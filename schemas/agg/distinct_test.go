package agg_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

func distinctOf(t testing.TB, precision int) algebra {
	return newAlgebra(t, feature.Definition{Name: "distinct", Aggregate: feature.Distinct, Precision: precision}, feature.Type{Kind: feature.Integer})
}

func member(n int64) *agg.Input { return &agg.Input{Of: agg.Operand{Kind: agg.Int, Int: n}} }

// TestSketchError compares sketches of every precision with exact counts of up to a million: the error
// over independent sets has the stated standard error, 1.04/√(2^precision), and no single one is six of
// them off. Below 2^precision/4 members there is next to none.
func TestSketchError(t *testing.T) {
	for precision := 4; precision <= 14; precision++ {
		t.Run(fmt.Sprint("precision=", precision), func(t *testing.T) {
			t.Parallel()
			x := distinctOf(t, precision)
			sigma := 1.04 / math.Sqrt(math.Exp2(float64(precision)))
			squares, n := map[int]float64{}, map[int]float64{}
			sizes := []int{1, 2, 1 << precision / 4, 1<<precision/4 + 1, 1 << precision, 3 << precision, 10 << precision}
			for set := range 60 {
				p := &agg.Partial{}
				size := 0
				for _, stop := range sizes {
					if set >= 8 && stop > 5_000 {
						break
					}
					for ; size < stop; size++ {
						x.Update(p, member(int64(set)<<32|int64(size)))
					}
					got, _ := x.Finalize(p).Int64()
					off := float64(got)/float64(stop) - 1
					squares[stop] += off * off
					n[stop]++
					if stop <= 1<<precision/4 && math.Abs(float64(got)-float64(stop)) > 2+float64(stop)/500 {
						t.Errorf("%d members of set %d: %d", stop, set, got)
					}
					if math.Abs(off) > 6*sigma {
						t.Errorf("%d members of set %d: %d, off by %.1f standard errors", stop, set, got, off/sigma)
					}
				}
			}
			for stop, sum := range squares {
				// The mean square of n errors of standard error σ is below σ²·(1+4·√(2/n)), but for one in ten thousand.
				if rms := math.Sqrt(sum / n[stop]); rms > sigma*math.Sqrt(1+4*math.Sqrt(2/n[stop])) {
					t.Errorf("%d members: root mean square error %.4f, stated %.4f", stop, rms, sigma)
				}
			}
		})
	}
}

func TestSketchOfAMillion(t *testing.T) {
	for _, precision := range []int{4, 11, 14} {
		x := distinctOf(t, precision)
		p := &agg.Partial{}
		for i := range int64(1_000_000) {
			x.Update(p, member(i))
		}
		got, _ := x.Finalize(p).Int64()
		sigma := 1.04 / math.Sqrt(math.Exp2(float64(precision)))
		if off := float64(got)/1e6 - 1; math.Abs(off) > 5*sigma {
			t.Errorf("precision %d: %d, off by %.1f standard errors", precision, got, off/sigma)
		}
	}
}

// TestSketchIsCanonical: neither the order of members, nor repeats, nor how parts were merged shows in
// the bytes.
func TestSketchIsCanonical(t *testing.T) {
	for precision := 4; precision <= 14; precision++ {
		x := distinctOf(t, precision)
		for _, size := range []int{1, 1 << precision / 4, 1<<precision/4 + 1, 1 << precision / 2, 2 << precision} {
			r := rand.New(rand.NewPCG(uint64(precision), uint64(size)))
			var in []agg.Input
			for i := range size {
				in = append(in, *member(int64(i)))
			}
			want := x.encode(x.of(in), size)
			for range 4 {
				again := append(in[:size:size], in[:r.IntN(size+1)]...)
				if got := x.encode(x.mergeAtRandom(r, again), size); !bytes.Equal(got, want) {
					t.Fatalf("precision %d, %d members: %d bytes, then %d other bytes", precision, size, len(want), len(got))
				}
			}
		}
	}
}

// TestSketchCellsCollide: of members that share a cell of the sparse form the higher rank stays, in
// whatever order they come.
func TestSketchCellsCollide(t *testing.T) {
	x := distinctOf(t, 4) // 2^15 cells
	collided := 0
	for i := range int64(500) {
		for j := range i {
			a, b := x.of([]agg.Input{*member(i)}), x.of([]agg.Input{*member(j)})
			both := x.encode(x.of([]agg.Input{*member(j), *member(i)}), 2)
			x.Merge(a, b)
			x.Merge(b, x.of([]agg.Input{*member(i)}))
			if n, _ := x.Finalize(a).Int64(); n == 1 {
				collided++
			}
			if got, again := x.encode(a, 2), x.encode(b, 2); !bytes.Equal(got, both) || !bytes.Equal(again, both) {
				t.Fatalf("%d and %d: updated %x, merged %x and %x", i, j, both, got, again)
			}
		}
	}
	if collided == 0 {
		t.Fatal("no two of 500 members share a cell, so nothing was tested")
	}
}

// TestSketchBytes: a dense sketch has six bits a register, and a sparse one is never larger than that
// by much.
func TestSketchBytes(t *testing.T) {
	x := distinctOf(t, 11)
	for size, most := range map[int]int{10: 50, 100: 400, 512: 1540, 100_000: 1540} {
		p := &agg.Partial{}
		for i := range size {
			x.Update(p, member(int64(i)))
		}
		if n := len(x.encode(p, size)); n > most {
			t.Errorf("%d members take %d bytes, more than %d", size, n, most)
		}
	}
}
