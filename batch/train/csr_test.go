package train

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawTriples(t *rapid.T, rows, cols int) []Triple {
	return rapid.SliceOf(rapid.Custom(func(t *rapid.T) Triple {
		return Triple{
			Row:    int32(rapid.IntRange(0, rows-1).Draw(t, "row")),
			Col:    int32(rapid.IntRange(0, cols-1).Draw(t, "col")),
			Weight: rapid.Float32Range(.001, 1000).Draw(t, "weight"),
		}
	})).Draw(t, "triples")
}

// TestCSRMergesInAnyOrder compares with a map, and with the same triples in another order.
func TestCSRMergesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 6).Draw(t, "cols")
		triples := drawTriples(t, rows, cols)
		m, err := NewCSR(rows, cols, triples)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("built an invalid matrix: %v", err)
		}
		other, err := NewCSR(rows, cols, rapid.Permutation(triples).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, other); diff != "" {
			t.Fatalf("the order of the triples changed the matrix:\n%s", diff)
		}
		want := map[[2]int32]float64{}
		for _, tr := range triples {
			want[[2]int32{tr.Row, tr.Col}] += float64(tr.Weight)
		}
		if len(want) != m.NNZ() {
			t.Fatalf("%d entries, want %d", m.NNZ(), len(want))
		}
		for r := range rows {
			cs, vs := m.Row(r)
			for k, c := range cs {
				if w := want[[2]int32{int32(r), c}]; math.Abs(w-float64(vs[k])) > 1e-6*w {
					t.Fatalf("row %d, column %d is %v, want %v", r, c, vs[k], w)
				}
			}
		}
	})
}

func TestTransposeTwiceIsTheMatrix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 9).Draw(t, "cols")
		m, err := NewCSR(rows, cols, drawTriples(t, rows, cols))
		if err != nil {
			t.Fatal(err)
		}
		once := m.Transpose()
		if err := once.Validate(); err != nil {
			t.Fatalf("invalid transpose: %v", err)
		}
		for r := range rows {
			cs, vs := m.Row(r)
			for k, c := range cs {
				if !hasEntry(once, int(c), int32(r), vs[k]) {
					t.Fatalf("entry (%d, %d) is not in the transpose", r, c)
				}
			}
		}
		if diff := cmp.Diff(m.Ptr, once.Transpose().Ptr); diff != "" {
			t.Fatal(diff)
		}
	})
}

func hasEntry(m CSR, r int, col int32, val float32) bool {
	cs, vs := m.Row(r)
	for k, c := range cs {
		if c == col && vs[k] == val {
			return true
		}
	}
	return false
}

func TestBadMatricesAreNamed(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tc := range []struct {
		name    string
		triples []Triple
		want    string
	}{
		{"row", []Triple{{0, 0, 1}, {2, 0, 1}}, "triple 1 is at row 2, column 0"},
		{"column", []Triple{{0, -1, 1}}, "row 0, column -1"},
		{"nan", []Triple{{1, 1, nan}}, "row 1, column 1 has weight NaN"},
		{"infinite", []Triple{{1, 1, inf}}, "weight +Inf"},
		{"negative", []Triple{{1, 1, -1}}, "weight -1"},
		{"overflow", []Triple{{1, 0, math.MaxFloat32}, {1, 0, math.MaxFloat32}}, "merging row 1: the weights of column 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewCSR(2, 2, tc.triples)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v does not contain %q", err, tc.want)
			}
		})
	}
	if _, err := NewCSR(-1, 2, nil); err == nil {
		t.Fatal("accepted a negative number of rows")
	}
}

func TestValidateNamesTheRow(t *testing.T) {
	good := CSR{Rows: 2, Cols: 3, Ptr: []int64{0, 1, 3}, Col: []int32{2, 0, 1}, Val: []float32{1, 1, 1}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		m    CSR
		want string
	}{
		{"pointers", CSR{Rows: 2, Cols: 3, Ptr: []int64{0, 4, 3}, Col: good.Col, Val: good.Val}, "row 0 spans"},
		{"end", CSR{Rows: 2, Cols: 3, Ptr: []int64{0, 1, 2}, Col: good.Col, Val: good.Val}, "row pointers span"},
		{"lengths", CSR{Rows: 2, Cols: 3, Ptr: []int64{0}, Col: good.Col, Val: good.Val}, "do not fit"},
		{"order", CSR{Rows: 2, Cols: 3, Ptr: good.Ptr, Col: []int32{2, 1, 1}, Val: good.Val}, "row 1 has column 1 after 1"},
		{"range", CSR{Rows: 2, Cols: 3, Ptr: good.Ptr, Col: []int32{3, 0, 1}, Val: good.Val}, "row 0 has column 3"},
		{"value", CSR{Rows: 2, Cols: 3, Ptr: good.Ptr, Col: good.Col, Val: []float32{1, float32(math.NaN()), 1}}, "row 1, column 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.m.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v does not contain %q", err, tc.want)
			}
		})
	}
}
