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

// Patch implements Patcher.
func (ratio) Patch(e *Encoder, d *Decoder, in *Input) bool {
	numerator, denominator := d.Uint(), d.Uint()
	if in.Numerator {
		numerator++
	}
	if in.Denominator {
		denominator++
	}
	e.Uint(numerator)
	e.Uint(denominator)
	return true
}

// FoldRun implements Run.
func (ratio) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	b, n, m := d.B, uint64(0), uint64(0)
	for left > 0 && t >= from && b != nil {
		if n, b = Next(b); b != nil {
			m, b = Next(b)
		}
		p.A += int64(n)
		p.B += int64(m)
		left--
		t, b = step(b, t, left)
	}
	d.end(b)
	return t, left
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
