package agg

// count counts events: N.
type count struct{}

func (count) Key() string                            { return "count" }
func (count) Update(p *Partial, _ *Input)            { p.N++ }
func (count) Merge(p, q *Partial)                    { p.N += q.N }
func (count) Append(e *Encoder, p *Partial)          { e.Uint(uint64(p.N)) }
func (count) Fold(p *Partial, d *Decoder, _ float64) { p.N += int64(d.Uint()) }
func (count) Skip(d *Decoder)                        { d.Uint() }
func (count) Finalize(p *Partial) Value              { return IntegerValue(p.N) }

// Patch implements Patcher.
func (count) Patch(e *Encoder, d *Decoder, _ *Input) bool {
	e.Uint(d.Uint() + 1)
	return true
}

// FoldRun implements Run.
func (count) FoldRun(p *Partial, d *Decoder, t, from int64, left int) (int64, int) {
	b, sum, n := d.B, uint64(0), uint64(0)
	for left > 0 && t >= from && b != nil {
		n, b = Next(b)
		sum += n
		left--
		t, b = step(b, t, left)
	}
	p.N += int64(sum)
	d.end(b)
	return t, left
}
