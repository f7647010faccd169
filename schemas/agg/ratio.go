package agg

// ratio is the share of numerator events in denominator events: A / B.
type ratio struct{}

func (ratio) Key() string { return "ratio" }

func (ratio) Update(p *Partial, in *Input) {
	if in.Numerator {
		p.A++
	}
	if in.Denominator {
		p.B++
	}
}

func (ratio) Merge(p, q *Partial) { p.A, p.B = p.A+q.A, p.B+q.B }

func (ratio) Append(e *Encoder, p *Partial) {
	e.Uint(uint64(p.A))
	e.Uint(uint64(p.B))
}

func (ratio) Fold(p *Partial, d *Decoder, _ float64) {
	p.A += int64(d.Uint())
	p.B += int64(d.Uint())
}

func (ratio) Skip(d *Decoder) {
	d.Uint()
	d.Uint()
}

func (ratio) Finalize(p *Partial) Value {
	if p.B == 0 {
		return Null
	}
	return FloatValue(float64(p.A) / float64(p.B))
}
