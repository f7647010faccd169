package agg

import "math"

// edge is the operand of the first or the last event, by event time, then position: A is the time, B
// the position, C the integer or the bits of the float, Text the text; N is 1 once there is one.
type edge struct {
	outcome
	first bool
}

func (x edge) Key() string {
	if x.first {
		return "first:" + x.outcome.key()
	}
	return "last:" + x.outcome.key()
}

func (x edge) Update(p *Partial, in *Input) {
	q := Partial{N: 1, A: in.Time, B: in.Seq, C: in.Of.Int, Text: in.Of.Text}
	if in.Of.Kind == Float {
		q.C = int64(math.Float64bits(in.Of.Float))
	}
	x.Merge(p, &q)
}

func (x edge) Merge(p, q *Partial) {
	if q.N == 0 {
		return
	}
	later := q.A > p.A || q.A == p.A && q.B > p.B
	if p.N == 0 || later != x.first {
		*p = *q
	}
}

func (x edge) Append(e *Encoder, p *Partial) {
	e.Int(p.A)
	e.Int(p.B)
	switch {
	case x.text():
		e.Text(p.Text)
	case x.float():
		e.Bits(uint64(p.C))
	default:
		e.Int(p.C)
	}
}

func (x edge) Fold(p *Partial, d *Decoder, _ float64) {
	q := Partial{N: 1, A: d.Int(), B: d.Int()}
	switch {
	case x.text():
		q.Text = d.Text()
	case x.float():
		q.C = int64(d.Bits())
	default:
		q.C = d.Int()
	}
	if d.Err == nil {
		x.Merge(p, &q)
	}
}

// Patch implements Patcher.
func (x edge) Patch(e *Encoder, d *Decoder, in *Input) bool {
	var p Partial
	x.Fold(&p, d, 1)
	x.Update(&p, in)
	x.Append(e, &p)
	return true
}

func (x edge) Skip(d *Decoder) {
	d.Uint()
	d.Uint()
	if x.float() {
		d.Bytes(8)
		return
	}
	d.Uint()
}

func (x edge) Finalize(p *Partial) Value {
	switch {
	case p.N == 0:
		return Null
	case x.text():
		return TextValue(p.Text)
	case x.float():
		return FloatValue(math.Float64frombits(uint64(p.C)))
	}
	return x.integer(p.C>>63, uint64(p.C))
}

// Enough implements Latest.
func (x edge) Enough(p *Partial, t int64) bool { return !x.first && p.N > 0 && p.A >= t }
