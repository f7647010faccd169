package agg

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/anabranch/anabranch/schemas/feature"
)

// sumFor returns the sum of fields of a type.
func sumFor(o outcome) summing {
	if o.float() {
		return floatSum{}
	}
	if o.Kind == feature.Boolean {
		o.Kind = feature.Integer // how many are true
	}
	return intSum{o}
}

// summing is a sum, which a mean is made of.
type summing interface {
	Monoid
	Run
	Patcher
}

// intSum adds integers in 128 bits: A is the low, B the high half, N the number of operands.
type intSum struct{ outcome }

func (intSum) Key() string { return "sum" }

func (s intSum) Update(p *Partial, in *Input) {
	p.N++
	add128(p, in.Of.Int, in.Of.Int>>63)
}

func add128(p *Partial, lo, hi int64) {
	low, carry := bits.Add64(uint64(p.A), uint64(lo), 0)
	high, _ := bits.Add64(uint64(p.B), uint64(hi), carry)
	p.A, p.B = int64(low), int64(high)
}

func (intSum) Merge(p, q *Partial) {
	p.N += q.N
	add128(p, q.A, q.B)
}

// Append writes the number of operands, doubled, plus 1 where the sum does not fit into 64 bits.
func (intSum) Append(e *Encoder, p *Partial) {
	if p.B == p.A>>63 {
		e.Uint(uint64(p.N) << 1)
		e.Int(p.A)
		return
	}
	e.Uint(uint64(p.N)<<1 | 1)
	e.Bits(uint64(p.A))
	e.Bits(uint64(p.B))
}

func (intSum) Fold(p *Partial, d *Decoder, _ float64) {
	n := d.Uint()
	p.N += int64(n >> 1)
	if n&1 == 0 {
		lo := d.Int()
		add128(p, lo, lo>>63)
		return
	}
	lo := d.Bits()
	add128(p, int64(lo), int64(d.Bits()))
}

// Patch implements Patcher.
func (s intSum) Patch(e *Encoder, d *Decoder, in *Input) bool {
	var p Partial
	s.Fold(&p, d, 1)
	s.Update(&p, in)
	s.Append(e, &p)
	return true
}

// FoldRun implements Run.
func (s intSum) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	b, lo := d.B, int64(0)
	for left > 0 && t >= from && b != nil {
		if n, rest := Next(b); n&1 == 0 && rest != nil { // as most
			p.N += int64(n >> 1)
			lo, b = nextOperand(rest, false)
			add128(p, lo, lo>>63)
		} else {
			d.B = b
			s.Fold(p, d, 1)
			b = d.B
		}
		left--
		t, b = step(b, t, left)
	}
	d.end(b)
	return t, left
}

func (intSum) Skip(d *Decoder) {
	if d.Uint()&1 == 0 {
		d.Int()
		return
	}
	d.Bytes(16)
}

func (s intSum) Finalize(p *Partial) Value { return s.integer(p.B, uint64(p.A)) }

// floatSum adds floats as double-doubles: A is the sum, B what it lacks, N the number of operands.
type floatSum struct{}

func (floatSum) Key() string { return "float_sum" }

func (floatSum) Update(p *Partial, in *Input) {
	p.N++
	addDouble(p, in.Of.Float, 0)
}

// addDouble adds the double-double hi+lo to that of p.
func addDouble(p *Partial, hi, lo float64) {
	a, b := math.Float64frombits(uint64(p.A)), math.Float64frombits(uint64(p.B))
	s, e := twoSum(a, hi)
	e += b + lo
	// s+e again as a sum and what it lacks; |s| ≥ |e| here unless both are next to nothing.
	a, b = twoSum(s, e)
	p.A, p.B = int64(math.Float64bits(a)), int64(math.Float64bits(b))
}

// twoSum returns the rounded sum and exactly what it lacks.
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	bb := s - a
	return s, (a - (s - bb)) + (b - bb)
}

func (floatSum) Merge(p, q *Partial) {
	p.N += q.N
	addDouble(p, math.Float64frombits(uint64(q.A)), math.Float64frombits(uint64(q.B)))
}

// Append writes the number of operands, doubled, plus 1 where the sum is not a single float.
func (floatSum) Append(e *Encoder, p *Partial) {
	if p.B == 0 {
		e.Uint(uint64(p.N) << 1)
		e.Bits(uint64(p.A))
		return
	}
	e.Uint(uint64(p.N)<<1 | 1)
	e.Bits(uint64(p.A))
	e.Bits(uint64(p.B))
}

func (floatSum) Fold(p *Partial, d *Decoder, _ float64) {
	n := d.Uint()
	p.N += int64(n >> 1)
	hi, lo := math.Float64frombits(d.Bits()), 0.0
	if n&1 != 0 {
		lo = math.Float64frombits(d.Bits())
	}
	addDouble(p, hi, lo)
}

// Patch implements Patcher.
func (s floatSum) Patch(e *Encoder, d *Decoder, in *Input) bool {
	var p Partial
	s.Fold(&p, d, 1)
	s.Update(&p, in)
	s.Append(e, &p)
	return true
}

// FoldRun implements Run.
func (s floatSum) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	for left > 0 && t >= from && d.Err == nil {
		s.Fold(p, d, 1)
		left--
		t, d.B = step(d.B, t, left)
	}
	d.end(d.B)
	return t, left
}

func (floatSum) Skip(d *Decoder) { d.Bytes(8 + 8*int(d.Uint()&1)) }

func (floatSum) Finalize(p *Partial) Value { return FloatValue(math.Float64frombits(uint64(p.A))) }

// mean keeps the partial of a sum.
type mean struct{ summing }

func (m mean) Finalize(p *Partial) Value {
	if p.N == 0 {
		return Null
	}
	s, integers := m.summing.(intSum)
	if !integers {
		return FloatValue(math.Float64frombits(uint64(p.A)) / float64(p.N))
	}
	if p.B == p.A>>63 && p.A > -1<<53 && p.A < 1<<53 && p.N > 0 && p.N < 1<<33 { // 2^33·10^6 < 2^53
		return FloatValue(float64(p.A) / (float64(p.N) * tens[s.Scale])) // one rounding of an exact quotient
	}
	num := s.integer(p.B, uint64(p.A)).big()
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(s.Type.Scale)), nil)
	f, _ := new(big.Rat).SetFrac(num, den.Mul(den, big.NewInt(p.N))).Float64()
	return FloatValue(f)
}
