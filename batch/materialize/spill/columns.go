package spill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Columns holds rows by columns. A column that a side does not pick stays empty.
type Columns struct {
	Rows   int
	Ints   [][]int64
	Floats [][]float64 // NaN: absent
	Texts  []Texts     // empty: absent
}

// Texts is a column of texts in one piece of memory.
type Texts struct {
	Ends []uint32 // where each text ends in Data; it starts where the one before it ends
	Data []byte
}

// At returns text i, which is part of the column's memory.
func (t *Texts) At(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = t.Ends[i-1]
	}
	return t.Data[start:t.Ends[i]]
}

// Add appends a text.
func (t *Texts) Add(b []byte) {
	t.Data = append(t.Data, b...)
	t.Ends = append(t.Ends, uint32(len(t.Data)))
}

// NewColumns returns no rows of so many columns of each kind.
func NewColumns(ints, floats, texts int) *Columns {
	return &Columns{Ints: make([][]int64, ints), Floats: make([][]float64, floats), Texts: make([]Texts, texts)}
}

// Reset drops the rows and keeps the memory.
func (c *Columns) Reset() {
	c.Rows = 0
	for i := range c.Ints {
		c.Ints[i] = c.Ints[i][:0]
	}
	for i := range c.Floats {
		c.Floats[i] = c.Floats[i][:0]
	}
	for i := range c.Texts {
		c.Texts[i].Ends, c.Texts[i].Data = c.Texts[i].Ends[:0], c.Texts[i].Data[:0]
	}
}

// Pick names columns by their index.
type Pick struct{ Ints, Floats, Texts []int }

// Grow makes room for n more rows of the picked columns.
func (c *Columns) Grow(p Pick, n int) {
	for _, i := range p.Ints {
		c.Ints[i] = slices.Grow(c.Ints[i], n)
	}
	for _, i := range p.Floats {
		c.Floats[i] = slices.Grow(c.Floats[i], n)
	}
	for _, i := range p.Texts {
		c.Texts[i].Ends = slices.Grow(c.Texts[i].Ends, n)
	}
}

// AppendRows adds rows of from, in the order given, with the picked columns.
func (c *Columns) AppendRows(from *Columns, p Pick, rows []int32) {
	for _, i := range p.Ints {
		c.Ints[i] = pickRows(c.Ints[i], from.Ints[i], rows)
	}
	for _, i := range p.Floats {
		c.Floats[i] = pickRows(c.Floats[i], from.Floats[i], rows)
	}
	for _, i := range p.Texts {
		to := &c.Texts[i]
		to.Ends = slices.Grow(to.Ends, len(rows))
		to.Data = slices.Grow(to.Data, len(from.Texts[i].Data))
		for _, r := range rows {
			to.Add(from.Texts[i].At(int(r)))
		}
	}
	c.Rows += len(rows)
}

func pickRows[T int64 | float64](into, from []T, rows []int32) []T {
	at := len(into)
	into = slices.Grow(into, len(rows))[:at+len(rows)]
	for i, r := range rows {
		into[at+i] = from[r]
	}
	return into
}

// AppendBlock adds the encoding of some rows, in the order given, with the picked columns to dst.
func (c *Columns) AppendBlock(dst []byte, p Pick, rows []int32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(rows)))
	for _, i := range p.Ints {
		dst = appendInts(dst, c.Ints[i], rows)
	}
	for _, i := range p.Floats {
		dst = appendFloats(dst, c.Floats[i], rows)
	}
	for _, i := range p.Texts {
		dst = appendTexts(dst, &c.Texts[i], rows)
	}
	return dst
}

// appendInts writes the least value, the number of bytes that the largest difference to it takes, and
// the differences.
func appendInts(dst []byte, values []int64, rows []int32) []byte {
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, r := range rows {
		v := values[r]
		low, high = min(low, v), max(high, v)
	}
	width := byteWidth(uint64(high) - uint64(low))
	if len(rows) == 0 {
		low, width = 0, 0
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(low))
	dst = append(dst, byte(width))
	at := len(dst)
	dst = grow(dst, len(rows)*width, 8)
	for _, r := range rows {
		binary.LittleEndian.PutUint64(dst[at:at+8:cap(dst)], uint64(values[r])-uint64(low))
		at += width
	}
	return dst[:at]
}

func byteWidth(x uint64) int {
	n := 0
	for ; x > 0; x >>= 8 {
		n++
	}
	return n
}

// grow makes room for n bytes behind b and for spare more, and returns b with all of it.
func grow(b []byte, n, spare int) []byte {
	need := len(b) + n + spare
	if cap(b) < need {
		b = append(make([]byte, 0, need+need/2), b...)
	}
	return b[:need]
}

// appendFloats writes the number of values that are there and, unless all or none are, which.
func appendFloats(dst []byte, values []float64, rows []int32) []byte {
	n := 0
	for _, r := range rows {
		if v := values[r]; v == v { //nolint:gocritic // NaN is not itself
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	if n == 0 {
		return dst
	}
	if n < len(rows) {
		at := len(dst)
		dst = append(dst, make([]byte, (len(rows)+7)/8)...)
		for i, r := range rows {
			if v := values[r]; v == v { //nolint:gocritic // NaN is not itself
				dst[at+i/8] |= 1 << (i % 8)
			}
		}
	}
	for _, r := range rows {
		if v := values[r]; v == v { //nolint:gocritic // NaN is not itself
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
	}
	return dst
}

// appendTexts writes the lengths, then the bytes.
func appendTexts(dst []byte, t *Texts, rows []int32) []byte {
	for _, r := range rows {
		dst = binary.AppendUvarint(dst, uint64(len(t.At(int(r)))))
	}
	for _, r := range rows {
		dst = append(dst, t.At(int(r))...)
	}
	return dst
}

var errBlock = errors.New("a block of rows ends early")

// ReadBlock appends the rows of a block to the picked columns.
func (c *Columns) ReadBlock(b []byte, p Pick) error {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > math.MaxInt32 {
		return errBlock
	}
	r := reader{b: b[used:], n: int(n)}
	for _, i := range p.Ints {
		c.Ints[i] = r.ints(c.Ints[i])
	}
	for _, i := range p.Floats {
		c.Floats[i] = r.floats(c.Floats[i])
	}
	for _, i := range p.Texts {
		r.texts(&c.Texts[i])
	}
	if r.failed || len(r.b) > 0 {
		return fmt.Errorf("block of %d rows: %w", n, errBlock)
	}
	c.Rows += r.n
	return nil
}

// reader takes a block apart.
type reader struct {
	b      []byte
	n      int
	failed bool
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed = true
		r.b = nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) ints(into []int64) []int64 {
	head := r.take(9)
	if head == nil || head[8] > 8 {
		r.failed = true
		return into
	}
	low, width := binary.LittleEndian.Uint64(head), int(head[8])
	b := r.take(r.n * width)
	if r.failed {
		return into
	}
	if width == 0 {
		for range r.n {
			into = append(into, int64(low))
		}
		return into
	}
	mask := ^uint64(0) >> (64 - 8*width)
	i := 0
	for ; i < r.n && (i*width)+8 <= len(b); i++ {
		into = append(into, int64(low+binary.LittleEndian.Uint64(b[i*width:])&mask))
	}
	var tail [16]byte
	for ; i < r.n; i++ {
		copy(tail[:], b[i*width:])
		into = append(into, int64(low+binary.LittleEndian.Uint64(tail[:])&mask))
	}
	return into
}

func (r *reader) floats(into []float64) []float64 {
	present, used := binary.Uvarint(r.b)
	if used <= 0 || present > uint64(r.n) {
		r.failed = true
		return into
	}
	r.b = r.b[used:]
	var which []byte
	if present > 0 && present < uint64(r.n) {
		which = r.take((r.n + 7) / 8)
	}
	b := r.take(8 * int(present))
	if r.failed {
		return into
	}
	absent := math.NaN()
	for i := range r.n {
		if present == 0 || which != nil && which[i/8]>>(i%8)&1 == 0 || len(b) < 8 {
			into = append(into, absent)
			continue
		}
		into = append(into, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		b = b[8:]
	}
	return into
}

func (r *reader) texts(t *Texts) {
	end := uint64(len(t.Data))
	start := end
	for range r.n {
		n, used := binary.Uvarint(r.b)
		if used <= 0 || end+n > math.MaxUint32 || n > uint64(len(r.b)) {
			r.failed = true
			return
		}
		r.b = r.b[used:]
		end += n
		t.Ends = append(t.Ends, uint32(end))
	}
	t.Data = append(t.Data, r.take(int(end-start))...)
}
