package agg

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// distinct estimates the number of distinct operands with a HyperLogLog++ sketch.
type distinct struct {
	precision uint8
}

// sketch is the set of distinct. While it has few members it is sparse: a sorted list of cells of a
// finer sketch, each its index at sparse precision, shifted by 6, and its rank. Beyond 2^precision/4
// cells it is dense, a rank a register. Which of the two follows from the members alone.
type sketch struct {
	sparse  []uint32
	dense   []uint8
	scratch []uint32
	read    []uint32
}

func (s *sketch) reset() { s.sparse, s.dense = s.sparse[:0], s.dense[:0] }

func (x distinct) Key() string { return fmt.Sprintf("distinct:%d", x.precision) }

// sparsePrecision is what a cell of the sparse form needs: 2^11 times as fine, at most 2^25 cells.
func (x distinct) sparsePrecision() uint8 { return min(25, x.precision+11) }

func (x distinct) limit() int { return 1 << x.precision / 4 }

// hashOperand returns 64 bits that depend on the operand's value alone.
func hashOperand(o *Operand) uint64 {
	switch o.Kind {
	case Int:
		return xxhash.Sum64(numberBytes(*o, uint64(o.Int)))
	case Float:
		return xxhash.Sum64(numberBytes(*o, math.Float64bits(o.Float+0))) // -0 is 0
	}
	return xxhash.Sum64String(o.Text)
}

func (x distinct) Update(p *Partial, in *Input) {
	x.addCell(grow[sketch](p), x.cell(in))
}

// cell returns the cell of an event.
func (x distinct) cell(in *Input) uint32 {
	h := hashOperand(&in.Of)
	sp := x.sparsePrecision()
	rank := uint32(min(bits.LeadingZeros64(h<<sp), int(64-sp))) + 1
	return uint32(h>>(64-sp))<<6 | rank
}

func (x distinct) addCell(s *sketch, cell uint32) {
	if len(s.dense) > 0 {
		x.register(s, cell)
		return
	}
	i, _ := slices.BinarySearch(s.sparse, cell&^63)
	if i < len(s.sparse) && s.sparse[i]>>6 == cell>>6 {
		s.sparse[i] = max(s.sparse[i], cell)
		return
	}
	s.sparse = slices.Insert(s.sparse, i, cell)
	x.thicken(s)
}

// register puts a cell of the sparse form into its register.
func (x distinct) register(s *sketch, cell uint32) {
	i, rank := x.place(cell)
	s.dense[i] = max(s.dense[i], rank)
}

// place returns the register of a cell and its rank there.
func (x distinct) place(cell uint32) (i uint32, rank uint8) {
	d := x.sparsePrecision() - x.precision
	index := cell >> 6
	rank = d + uint8(cell&63)
	if low := index & (1<<d - 1); low != 0 {
		rank = d - uint8(bits.Len32(low)) + 1
	}
	return index >> d, rank
}

// thicken makes the sketch dense when it has too many cells.
func (x distinct) thicken(s *sketch) {
	if len(s.sparse) <= x.limit() {
		return
	}
	x.makeDense(s)
}

func (x distinct) makeDense(s *sketch) {
	s.dense = slices.Grow(s.dense[:0], 1<<x.precision)[:1<<x.precision]
	clear(s.dense)
	for _, c := range s.sparse {
		x.register(s, c)
	}
	s.sparse = s.sparse[:0]
}

func (x distinct) Merge(p, q *Partial) {
	from, ok := q.Set.(*sketch)
	if !ok {
		return
	}
	s := grow[sketch](p)
	if len(from.dense) == 0 {
		x.mergeSparse(s, from.sparse)
		return
	}
	if len(s.dense) == 0 {
		x.makeDense(s)
	}
	for i, r := range from.dense {
		s.dense[i] = max(s.dense[i], r)
	}
}

// mergeSparse adds sorted cells.
func (x distinct) mergeSparse(s *sketch, from []uint32) {
	if len(s.dense) > 0 {
		for _, c := range from {
			x.register(s, c)
		}
		return
	}
	mine, out := s.sparse, s.scratch[:0]
	for len(mine) > 0 && len(from) > 0 {
		switch a, b := mine[0]>>6, from[0]>>6; {
		case a < b:
			out, mine = append(out, mine[0]), mine[1:]
		case a > b:
			out, from = append(out, from[0]), from[1:]
		default:
			out = append(out, max(mine[0], from[0]))
			mine, from = mine[1:], from[1:]
		}
	}
	out = append(append(out, mine...), from...)
	s.scratch, s.sparse = s.sparse, out
	x.thicken(s)
}

// Append writes the number of cells, plus 1, and their differences; or 0 and the registers, six bits
// each.
func (x distinct) Append(e *Encoder, p *Partial) {
	s := grow[sketch](p)
	if len(s.dense) == 0 {
		e.Uint(uint64(len(s.sparse)) + 1)
		prev := uint32(0)
		for _, c := range s.sparse {
			e.Uint(uint64(c - prev))
			prev = c
		}
		return
	}
	e.Uint(0)
	for i := 0; i < len(s.dense); i += 4 {
		w := uint32(s.dense[i]) | uint32(s.dense[i+1])<<6 | uint32(s.dense[i+2])<<12 | uint32(s.dense[i+3])<<18
		e.Buf = append(e.Buf, byte(w), byte(w>>8), byte(w>>16))
	}
}

func (x distinct) Fold(p *Partial, d *Decoder, _ float64) {
	s := grow[sketch](p)
	n := d.Uint()
	if n == 0 {
		x.foldDense(s, d.Bytes(1<<x.precision/4*3))
		return
	}
	if n-1 > uint64(x.limit()) || n-1 > uint64(len(d.B)) {
		d.Fail(fmt.Errorf("distinct: %d cells, at most %d are possible", n-1, x.limit()))
		return
	}
	if s.read = x.readCells(d, s.read[:0], int(n-1)); d.Err == nil {
		x.mergeSparse(s, s.read)
	}
}

// Patch implements Patcher.
func (x distinct) Patch(e *Encoder, d *Decoder, in *Input) bool {
	n, cell := d.Uint(), x.cell(in)
	if n == 0 {
		x.patchDense(e, d.Bytes(1<<x.precision/4*3), cell)
		return true
	}
	// The first cell, c, that is not before the new one, and the one before it.
	k, c, prev, at, rest := uint64(1), uint32(0), uint32(0), d.B, d.B
	for ; k < n; k++ {
		var step uint64
		if step, rest = Next(at); rest == nil {
			d.end(nil)
			return true
		}
		if c = prev + uint32(step); c>>6 >= cell>>6 {
			break
		}
		prev, at = c, rest
	}
	known, head := k < n && c>>6 == cell>>6, d.B[:len(d.B)-len(at)]
	switch {
	case known:
		e.Uint(n)
		e.Buf = append(e.Buf, head...)
		e.Uint(uint64(max(c, cell) - prev))
		if more := max(c, cell) - c; more > 0 && k+1 < n { // the next cell is as much nearer
			var step uint64
			step, rest = Next(rest)
			e.Uint(step - uint64(more))
		}
	case int(n) > x.limit():
		return false
	default:
		e.Uint(n + 1)
		e.Buf = append(e.Buf, head...)
		if e.Uint(uint64(cell - prev)); k < n {
			e.Uint(uint64(c - cell))
		}
	}
	d.end(rest)
	return true
}

// patchDense writes registers with a cell.
func (x distinct) patchDense(e *Encoder, b []byte, cell uint32) {
	if b == nil {
		return
	}
	i, rank := x.place(cell)
	e.Buf = append(append(e.Buf, 0), b...)
	four := e.Buf[len(e.Buf)-len(b)+int(i/4)*3:][:3]
	w, shift := uint32(four[0])|uint32(four[1])<<8|uint32(four[2])<<16, i%4*6
	if had := w >> shift & 63; uint32(rank) > had {
		w += (uint32(rank) - had) << shift
	}
	four[0], four[1], four[2] = byte(w), byte(w>>8), byte(w>>16)
}

// readCells adds n cells to an empty list.
func (x distinct) readCells(d *Decoder, cells []uint32, n int) []uint32 {
	top, ranks := uint64(1)<<(x.sparsePrecision()+6), uint64(65-x.sparsePrecision())
	b, step, cell := d.B, uint64(0), uint64(0)
	for i := range n {
		prev := cell
		step, b = Next(b)
		cell += min(step, top)
		if rank := cell & 63; b == nil || cell >= top || i > 0 && cell>>6 <= prev>>6 || rank == 0 || rank > ranks {
			d.Fail(fmt.Errorf("distinct: cell %d cannot follow cell %d", cell, prev))
			return cells
		}
		cells = append(cells, uint32(cell))
	}
	d.end(b)
	return cells
}

func (x distinct) foldDense(s *sketch, b []byte) {
	if b == nil {
		return
	}
	if len(s.dense) == 0 {
		x.makeDense(s)
	}
	for i := 0; i < len(s.dense); i += 8 { // 2^4 registers at least
		eight := s.dense[i : i+8]
		w := unpack(uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32)
		binary.LittleEndian.PutUint64(eight, maxBytes(binary.LittleEndian.Uint64(eight), w))
		b = b[6:]
	}
}

// unpack spreads eight numbers of six bits over eight bytes.
func unpack(w uint64) uint64 {
	w = w&0x0000000000ffffff | w<<8&0x00ffffff00000000
	w = w&0x00000fff00000fff | w<<4&0x0fff00000fff0000
	return w&0x003f003f003f003f | w<<2&0x3f003f003f003f00
}

// maxBytes returns the greater of each of eight bytes, none of which is above 127.
func maxBytes(a, b uint64) uint64 {
	const tops = 0x8080808080808080
	notLess := ((a | tops) - b) & tops // the top bit of a byte stays where a's is not less than b's
	keep := notLess - notLess>>7       // 127 in such a byte
	return a&keep | b&^keep
}

func (x distinct) Skip(d *Decoder) {
	n := d.Uint()
	if n == 0 {
		d.Bytes(1 << x.precision / 4 * 3)
		return
	}
	d.skipUints(int(min(n-1, uint64(len(d.B)+1)))) // one too many where they cannot be there
}

func (x distinct) Finalize(p *Partial) Value {
	s := grow[sketch](p)
	if len(s.dense) == 0 {
		m := float64(int64(1) << x.sparsePrecision())
		return IntegerValue(int64(math.Round(m * math.Log(m/(m-float64(len(s.sparse)))))))
	}
	return IntegerValue(int64(math.Round(x.estimate(s.dense))))
}

// estimate is the improved raw estimator of Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (2017), algorithm 6.
func (x distinct) estimate(dense []uint8) float64 {
	q := 64 - int(x.precision)
	var c [66]float64
	for _, r := range dense {
		c[min(int(r), q+1)]++
	}
	m := float64(len(dense))
	z := m * tau(1-c[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + c[k])
	}
	z += m * sigma(c[0]/m)
	return m / (2 * math.Ln2) * m / z
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}
