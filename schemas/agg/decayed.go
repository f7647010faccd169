package agg

import "math"

// decayedCount counts events, each worth half after every half-life. Its partial is a float64: the
// sum as of the tile's start, Σ 2^((t − start)/half-life). Reading it at T multiplies by
// 2^(−(T − start)/half-life).
type decayedCount struct {
	halfLife float64 // ms
}

func (decayedCount) Zero() Partial { return float64(0) }

func (d decayedCount) Update(p Partial, in Input) Partial {
	return p.(float64) + math.Exp2(float64(in.Time-in.TileStart)/d.halfLife)
}

func (decayedCount) Merge(a, b Partial) Partial { return a.(float64) + b.(float64) }

func (d decayedCount) Finalize(tiles []TilePartial, t int64) Value {
	var sum float64
	for _, x := range tiles {
		sum += x.Partial.(float64) * math.Exp2(-float64(t-x.Start)/d.halfLife)
	}
	return sum
}

func (decayedCount) Append(dst []byte, p Partial) []byte { return appendFloat(dst, p.(float64)) }

func (decayedCount) Decode(b []byte) (Partial, []byte, error) {
	f, rest, err := readFloat(b)
	return f, rest, err
}
