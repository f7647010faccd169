package agg

import "math"

// extreme is the least (sign 1) or greatest (sign -1) operand: A, an integer or the bits of a float; N
// is 1 once there is one.
type extreme struct {
	outcome
	sign int
}

func (x extreme) Key() string {
	if x.sign > 0 {
		return "min:" + x.outcome.key()
	}
	return "max:" + x.outcome.key()
}

func (x extreme) Update(p *Partial, in *Input) {
	if x.float() {
		x.offer(p, int64(math.Float64bits(in.Of.Float)))
		return
	}
	x.offer(p, in.Of.Int)
}

// offer takes a when it is beyond what p has.
func (x extreme) offer(p *Partial, a int64) {
	if p.N == 0 || x.beyond(a, p.A) {
		p.N, p.A = 1, a
	}
}

func (x extreme) beyond(a, b int64) bool {
	if x.float() {
		f, g := math.Float64frombits(uint64(a)), math.Float64frombits(uint64(b))
		return x.sign > 0 && f < g || x.sign < 0 && f > g
	}
	return x.sign > 0 && a < b || x.sign < 0 && a > b
}

func (x extreme) Merge(p, q *Partial) {
	if q.N > 0 {
		x.offer(p, q.A)
	}
}

func (x extreme) Append(e *Encoder, p *Partial) {
	if x.float() {
		e.Bits(uint64(p.A))
		return
	}
	e.Int(p.A)
}

func (x extreme) Fold(p *Partial, d *Decoder, _ float64) {
	if x.float() {
		x.offer(p, int64(d.Bits()))
		return
	}
	x.offer(p, d.Int())
}

// Patch implements Patcher.
func (x extreme) Patch(e *Encoder, d *Decoder, in *Input) bool {
	p := Partial{N: 1}
	if x.float() {
		p.A = int64(d.Bits())
	} else {
		p.A = d.Int()
	}
	x.Update(&p, in)
	x.Append(e, &p)
	return true
}

// FoldRun implements Run.
func (x extreme) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	b, float, a := d.B, x.float(), int64(0)
	for left > 0 && t >= from && b != nil {
		if a, b = nextOperand(b, float); b == nil {
			break
		}
		x.offer(p, a)
		left--
		t, b = step(b, t, left)
	}
	d.end(b)
	return t, left
}

func (x extreme) Skip(d *Decoder) {
	if x.float() {
		d.Bytes(8)
		return
	}
	d.Uint()
}

func (x extreme) Finalize(p *Partial) Value {
	switch {
	case p.N == 0:
		return Null
	case x.float():
		return FloatValue(math.Float64frombits(uint64(p.A)))
	}
	return x.integer(p.A>>63, uint64(p.A))
}
