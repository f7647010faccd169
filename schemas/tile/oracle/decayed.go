package oracle

import (
	"math/big"

	"github.com/anabranch/anabranch/schemas/feature"
)

// bitsOf is the precision in which powers are computed, far beyond the bounds that are checked.
const bitsOf = 160

// decayedOf adds up events, or their operands, each worth 2^(−age/half-life). One later than t, in
// t's tile, is worth more than it was then.
func decayedOf(d feature.Definition, t feature.Type, events []counted, at int64) answer {
	sum, absolute, raw := new(big.Rat), new(big.Rat), new(big.Rat)
	for _, x := range events {
		v := big.NewRat(1, 1)
		if x.of != nil {
			v = x.of.exact(t)
		}
		raw.Add(raw, new(big.Rat).Abs(v))
		v.Mul(v, power(int64(x.Event.Time)-at, int64(d.HalfLife)))
		sum.Add(sum, v)
		absolute.Add(absolute, new(big.Rat).Abs(v))
	}
	// (n+6)·2^-52·Σ|term|; what is worth less than the least normal float may be lost.
	slack := new(big.Rat).Mul(big.NewRat(int64(len(events)+6), 1), scaled(absolute, -52))
	slack.Add(slack, scaled(raw, -1022))
	if len(events) > 0 {
		slack.Add(slack, scaled(big.NewRat(1, 1), -1022))
	}
	// As of its tile's start an operand weighs up to 2^24 times as much (a day of half-lives of 1h).
	return near{value: sum, slack: slack, overflow: overflows(scaled(raw, 25)) || overflows(scaled(absolute, 25))}
}

// power returns 2^(a/b), b > 0.
func power(a, b int64) *big.Rat {
	into := tileStart(a, b)
	whole, rest := into/b, a-into
	// 2^f = e^(f·ln 2), with f in [0, 1): the series of e^x.
	x := new(big.Float).SetPrec(bitsOf).SetRat(big.NewRat(rest, b))
	x.Mul(x, ln2())
	sum, term := big.NewFloat(1).SetPrec(bitsOf), big.NewFloat(1).SetPrec(bitsOf)
	for i := int64(1); i < 40; i++ {
		term.Mul(term, x)
		term.Quo(term, new(big.Float).SetInt64(i))
		sum.Add(sum, term)
	}
	r, _ := sum.SetMantExp(sum, int(whole)).Rat(nil)
	return r
}

// ln2 is Σ 1/(k·2^k).
func ln2() *big.Float {
	sum := new(big.Float).SetPrec(bitsOf)
	for k := int64(1); k < bitsOf; k++ {
		den := new(big.Float).SetPrec(bitsOf).SetInt64(k)
		den.SetMantExp(den, int(k))
		sum.Add(sum, den.Quo(big.NewFloat(1).SetPrec(bitsOf), den))
	}
	return sum
}
