package train

import (
	"fmt"
	"math"
	"slices"
)

// CSR is a sparse matrix in compressed sparse row form. Row r holds the entries Ptr[r] to Ptr[r+1] of Col and Val;
// within a row, columns rise strictly and values are positive and finite.
type CSR struct {
	Rows, Cols int
	Ptr        []int64
	Col        []int32
	Val        []float32
}

// Triple is one observation: the weight that a row gives to a column.
type Triple struct {
	Row, Col int32
	Weight   float32
}

// NewCSR builds a rows×cols matrix. Triples of the same row and column are merged by adding their weights. The result
// does not depend on the order of the triples. An index outside the matrix, or a weight that is not positive and finite
// (also after merging), is an error that names the row and the column.
func NewCSR(rows, cols int, triples []Triple) (CSR, error) {
	if rows < 0 || cols < 0 || rows > math.MaxInt32 || cols > math.MaxInt32 {
		return CSR{}, fmt.Errorf("matrix of %d×%d: each side must be in [0, %d]", rows, cols, math.MaxInt32)
	}
	for i, t := range triples {
		switch {
		case t.Row < 0 || int(t.Row) >= rows || t.Col < 0 || int(t.Col) >= cols:
			return CSR{}, fmt.Errorf("triple %d is at row %d, column %d: outside the %d×%d matrix", i, t.Row, t.Col, rows, cols)
		case !usable(t.Weight):
			return CSR{}, fmt.Errorf("triple %d at row %d, column %d has weight %v: must be positive and finite", i, t.Row, t.Col, t.Weight)
		}
	}
	start, keys := bucketByRow(rows, triples)
	m := CSR{Rows: rows, Cols: cols, Ptr: make([]int64, 1, rows+1)}
	for r := range rows {
		if err := m.appendRow(keys[start[r]:start[r+1]]); err != nil {
			return CSR{}, fmt.Errorf("merging row %d: %w", r, err)
		}
	}
	return m, nil
}

// bucketByRow sorts triples by row, by counting. A key holds the column in its upper half and the bits of the weight in
// the lower: positive floats order as their bits do, so sorting the keys of a row orders it by column, then weight.
func bucketByRow(rows int, triples []Triple) (start []int, keys []uint64) {
	start = make([]int, rows+2)
	for _, t := range triples {
		start[t.Row+2]++
	}
	for r := 1; r < len(start); r++ {
		start[r] += start[r-1]
	}
	keys = make([]uint64, len(triples))
	for _, t := range triples {
		at := &start[t.Row+1]
		keys[*at] = uint64(t.Col)<<32 | uint64(math.Float32bits(t.Weight))
		*at++
	}
	return start[:rows+1], keys
}

// appendRow sorts and merges the keys of the next row and appends it.
func (m *CSR) appendRow(keys []uint64) error {
	slices.Sort(keys)
	for len(keys) > 0 {
		col, sum, n := keys[0]>>32, 0.0, 0
		for n < len(keys) && keys[n]>>32 == col {
			sum += float64(math.Float32frombits(uint32(keys[n])))
			n++
		}
		if !usable(float32(sum)) {
			return fmt.Errorf("the weights of column %d add up to %v", col, sum)
		}
		m.Col = append(m.Col, int32(col))
		m.Val = append(m.Val, float32(sum))
		keys = keys[n:]
	}
	m.Ptr = append(m.Ptr, int64(len(m.Col)))
	return nil
}

// Row returns the columns and values of row r; the slices belong to the matrix.
func (m CSR) Row(r int) ([]int32, []float32) {
	lo, hi := m.Ptr[r], m.Ptr[r+1]
	return m.Col[lo:hi:hi], m.Val[lo:hi:hi]
}

// NNZ returns the number of entries.
func (m CSR) NNZ() int { return len(m.Col) }

// Transpose returns the matrix with its sides exchanged. The receiver must be valid, see [CSR.Validate].
func (m CSR) Transpose() CSR {
	t := CSR{
		Rows: m.Cols, Cols: m.Rows,
		Ptr: make([]int64, m.Cols+1), Col: make([]int32, len(m.Col)), Val: make([]float32, len(m.Val)),
	}
	for _, c := range m.Col {
		t.Ptr[c+1]++
	}
	for c := range m.Cols {
		t.Ptr[c+1] += t.Ptr[c]
	}
	next := slices.Clone(t.Ptr)
	for r := range m.Rows {
		cols, vals := m.Row(r)
		for k, c := range cols {
			t.Col[next[c]], t.Val[next[c]] = int32(r), vals[k]
			next[c]++
		}
	}
	return t
}

// Validate checks everything that the type's comment promises and names the first row that breaks it.
func (m CSR) Validate() error {
	if m.Rows < 0 || m.Cols < 0 || len(m.Ptr) != m.Rows+1 || len(m.Col) != len(m.Val) {
		return fmt.Errorf("matrix of %d×%d has %d row pointers, %d columns and %d values: lengths do not fit",
			m.Rows, m.Cols, len(m.Ptr), len(m.Col), len(m.Val))
	}
	if m.Ptr[0] != 0 || m.Ptr[m.Rows] != int64(len(m.Col)) {
		return fmt.Errorf("row pointers span [%d, %d), entries [0, %d)", m.Ptr[0], m.Ptr[m.Rows], len(m.Col))
	}
	for r := range m.Rows {
		if lo, hi := m.Ptr[r], m.Ptr[r+1]; lo > hi || hi > int64(len(m.Col)) {
			return fmt.Errorf("row %d spans [%d, %d) of %d entries", r, lo, hi, len(m.Col))
		}
		cols, vals := m.Row(r)
		for k, c := range cols {
			switch {
			case c < 0 || int(c) >= m.Cols:
				return fmt.Errorf("row %d has column %d: outside [0, %d)", r, c, m.Cols)
			case k > 0 && cols[k-1] >= c:
				return fmt.Errorf("row %d has column %d after %d: columns must rise", r, c, cols[k-1])
			case !usable(vals[k]):
				return fmt.Errorf("row %d, column %d has value %v: must be positive and finite", r, c, vals[k])
			}
		}
	}
	return nil
}

func usable(w float32) bool { return w > 0 && w <= math.MaxFloat32 }
