package agg

import (
	"fmt"
	"math"
)

// decayed adds up events (or their operands), each worth half after every half-life. A is the sum as of
// the tile's start, Σ x·2^((t − start)/half-life).
type decayed struct {
	outcome
	halfLife int64 // ms
	sum      bool  // of operands; else every event is worth 1
}

func (x decayed) Key() string {
	if x.sum {
		return fmt.Sprintf("decayed_sum:%d:%s", x.halfLife, x.outcome.key())
	}
	return fmt.Sprintf("decayed_count:%d:", x.halfLife)
}

func (x decayed) Update(p *Partial, in *Input) {
	f := 1.0
	if x.sum {
		f = x.outcome.number(in.Of)
	}
	x.add(p, f*x.power(in.Time-in.Start))
}

func (decayed) add(p *Partial, f float64) {
	p.A = int64(math.Float64bits(math.Float64frombits(uint64(p.A)) + f))
}

func (x decayed) Merge(p, q *Partial) { x.add(p, math.Float64frombits(uint64(q.A))) }

func (decayed) Append(e *Encoder, p *Partial) { e.Bits(uint64(p.A)) }

func (x decayed) Fold(p *Partial, d *Decoder, scale float64) {
	x.add(p, math.Float64frombits(d.Bits())*scale)
}

// Patch implements Patcher.
func (x decayed) Patch(e *Encoder, d *Decoder, in *Input) bool {
	p := Partial{A: int64(d.Bits())}
	x.Update(&p, in)
	x.Append(e, &p)
	return true
}

func (decayed) Skip(d *Decoder) { d.Bytes(8) }

func (decayed) Finalize(p *Partial) Value { return FloatValue(math.Float64frombits(uint64(p.A))) }

// Scale implements Decaying.
func (x decayed) Scale(age int64) float64 { return x.power(-age) }

// power returns 2^(ms/half-life). Whole half-lives are apart from the rest: rounding a large exponent
// would cost as many bits as the exponent has.
func (x decayed) power(ms int64) float64 {
	whole, rest := ms/x.halfLife, ms%x.halfLife
	return math.Ldexp(math.Exp2(float64(rest)/float64(x.halfLife)), int(whole))
}
