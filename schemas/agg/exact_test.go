package agg_test

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// mergeAtRandom adds up partials of random runs of the events, in random order.
func (x algebra) mergeAtRandom(r *rand.Rand, in []agg.Input) *agg.Partial {
	in = slices.Clone(in)
	r.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
	var parts []*agg.Partial
	for len(in) > 0 {
		n := 1 + r.IntN(len(in))
		parts, in = append(parts, x.of(in[:n])), in[n:]
	}
	for len(parts) > 1 {
		i, j := r.IntN(len(parts)-1), len(parts)-1
		x.Merge(parts[i], parts[j])
		parts = parts[:j]
	}
	if len(parts) == 0 {
		return &agg.Partial{}
	}
	return parts[0]
}

func floats(values ...float64) []agg.Input {
	var in []agg.Input
	for i, f := range values {
		in = append(in, agg.Input{Time: tileStart, Start: tileStart, Seq: int64(i), Of: agg.Operand{Kind: agg.Float, Float: f}})
	}
	return in
}

func ints(values ...int64) []agg.Input {
	var in []agg.Input
	for i, n := range values {
		in = append(in, agg.Input{Time: tileStart, Start: tileStart, Seq: int64(i), Of: agg.Operand{Kind: agg.Int, Int: n}})
	}
	return in
}

// TestFloatSumsCancel holds sums whose terms cancel to the stated bound, 2^-52·|sum| + n·2^-100·Σ|x|.
func TestFloatSumsCancel(t *testing.T) {
	x := newAlgebra(t, feature.Definition{Name: "sum", Aggregate: feature.Sum}, feature.Type{Kind: feature.Float})
	hard := [][]float64{
		{1, 1e100, 1, -1e100},
		{1e16, 1, -1e16},
		{0.1, 0.2, -0.3},
		{1e300, 1e284, -1e300, 3, -1e284},
		slices.Repeat([]float64{0.1}, 1000),
		{5e-324, 5e-324, 1, -1},
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var values []float64
		for range r.IntN(60) {
			f := math.Ldexp(r.Float64()-0.5, r.IntN(200)-100)
			values = append(values, f)
			if r.IntN(2) == 0 {
				values = append(values, -f*(1+r.Float64()*0x1p-50))
			}
		}
		hard = append(hard, values)
	}
	for i, values := range hard {
		r := rand.New(rand.NewPCG(uint64(i), 2))
		sum, absolute := new(big.Float).SetPrec(2200), new(big.Float).SetPrec(2200)
		for _, f := range values {
			sum.Add(sum, big.NewFloat(f))
			absolute.Add(absolute, big.NewFloat(math.Abs(f)))
		}
		for range 5 {
			got, _ := x.Finalize(x.mergeAtRandom(r, floats(values...))).Float64()
			off := new(big.Float).SetPrec(2200).Sub(big.NewFloat(got), sum)
			s, _ := sum.Float64()
			a, _ := absolute.Float64()
			bound := 0x1p-52*math.Abs(s) + float64(len(values))*0x1p-100*a
			if d, _ := off.Float64(); math.Abs(d) > bound {
				t.Fatalf("%v: %v, off by %v, more than %v", values, got, d, bound)
			}
		}
	}
}

// TestIntegerSumsHave128Bits adds far beyond what 64 bits hold, and comes back.
func TestIntegerSumsHave128Bits(t *testing.T) {
	for _, typ := range []feature.Type{{Kind: feature.Integer}, {Kind: feature.Decimal, Scale: 3}} {
		sum := newAlgebra(t, feature.Definition{Name: "sum", Aggregate: feature.Sum}, typ)
		mean := newAlgebra(t, feature.Definition{Name: "mean", Aggregate: feature.Mean}, typ)
		for seed := range uint64(100) {
			r := rand.New(rand.NewPCG(seed, 3))
			var values []int64
			want := new(big.Int)
			for range 1 + r.IntN(5000) {
				n := []int64{1<<53 - 1, 1<<53 - 1, r.Int64N(1 << 53), -1<<53 + 1, math.MaxInt64, math.MinInt64}[r.IntN(3+r.IntN(4))]
				values = append(values, n)
				want.Add(want, big.NewInt(n))
			}
			p := sum.mergeAtRandom(r, ints(values...))
			folded := &agg.Partial{}
			sum.Fold(folded, decoder(sum.encode(p, len(values))), 1)
			scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(typ.Scale)), nil)
			for _, q := range []*agg.Partial{p, folded} {
				got, ok := new(big.Rat).SetString(sum.Finalize(q).String())
				if !ok || got.Cmp(new(big.Rat).SetFrac(want, scale)) != 0 {
					t.Fatalf("seed %d: sum of %s is %s, want %s units", seed, typ, sum.Finalize(q), want)
				}
				f, _ := new(big.Rat).SetFrac(want, new(big.Int).Mul(scale, big.NewInt(int64(len(values))))).Float64()
				if got, ok := mean.Finalize(q).Float64(); !ok || got != f {
					t.Fatalf("seed %d: mean of %s is %v, the nearest float is %v", seed, typ, got, f)
				}
			}
		}
	}
}

// TestMeansAreRoundedOnce compares means of few decimals with the nearest float.
func TestMeansAreRoundedOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for scale := range 7 {
		typ := feature.Type{Kind: feature.Decimal, Scale: scale}
		if scale == 0 {
			typ = feature.Type{Kind: feature.Integer}
		}
		x := newAlgebra(t, feature.Definition{Name: "mean", Aggregate: feature.Mean}, typ)
		for range 2000 {
			var values []int64
			sum := new(big.Int)
			for range 1 + r.IntN(9) {
				n := r.Int64N(1<<r.IntN(53)) - r.Int64N(1<<r.IntN(53))
				if r.IntN(2) == 0 { // sums that no float holds
					n = 1<<53 - 1 - r.Int64N(1<<20)
				}
				values = append(values, n)
				sum.Add(sum, big.NewInt(n))
			}
			den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
			want, _ := new(big.Rat).SetFrac(sum, den.Mul(den, big.NewInt(int64(len(values))))).Float64()
			if got, _ := x.Finalize(x.of(ints(values...))).Float64(); got != want {
				t.Fatalf("mean of %v, %s: %v, the nearest float is %v", values, typ, got, want)
			}
		}
	}
}

// TestOverflow: a sum beyond the floats is no answer, not an infinity.
func TestOverflow(t *testing.T) {
	for _, a := range []feature.Aggregate{feature.Sum, feature.Mean, feature.DecayedSum} {
		x := newAlgebra(t, feature.Definition{Name: string(a), Aggregate: a, HalfLife: feature.Day}, feature.Type{Kind: feature.Float})
		if got := x.Finalize(x.of(floats(1.7e308, 1.7e308))); !got.IsNull() {
			t.Errorf("%s of 1.7e308 twice: %s, want null", x.name, got)
		}
	}
}

// TestDecayedWeights holds the weight of one event, carried through a tile to an instant up to a year
// later, to (1+4)·2^-52 of its value.
func TestDecayedWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, halfLife := range []feature.Window{feature.Hour, 7 * feature.Hour, 3 * feature.Day, 365 * feature.Day} {
		x := newAlgebra(t, feature.Definition{Name: "decayed", Aggregate: feature.DecayedSum, HalfLife: halfLife}, feature.Type{Kind: feature.Float})
		for range 500 {
			in := floats(r.NormFloat64())[0]
			in.Time += r.Int64N(tileWidth)
			at := tileStart + r.Int64N(min(int64(365*feature.Day), 1000*int64(halfLife)))
			scale := x.Monoid.(agg.Decaying).Scale(at - tileStart)
			p := &agg.Partial{}
			x.Fold(p, decoder(x.encode(x.of([]agg.Input{in}), 1)), scale)
			got, _ := x.Finalize(p).Float64()
			want := exp2(in.Time-at, int64(halfLife))
			want.Mul(want, big.NewFloat(in.Of.Float))
			off, _ := new(big.Float).Sub(big.NewFloat(got), want).Float64()
			w, _ := want.Float64()
			if math.Abs(off) > 5*0x1p-52*math.Abs(w) {
				t.Fatalf("half-life %s, age %d ms: %v, off by %v", halfLife, at-in.Time, got, off/w)
			}
		}
	}
}

// exp2 returns 2^(a/b) to 200 bits, by square roots: of the fraction's binary digits, each half as much
// weighs a root more.
func exp2(a, b int64) *big.Float {
	whole := a / b
	if a%b < 0 {
		whole--
	}
	rest := new(big.Int).Sub(big.NewInt(a), new(big.Int).Mul(big.NewInt(whole), big.NewInt(b)))
	out, root := big.NewFloat(1).SetPrec(200), big.NewFloat(2).SetPrec(200)
	for range 120 {
		root = new(big.Float).SetPrec(200).Sqrt(root)
		rest.Lsh(rest, 1)
		if rest.Cmp(big.NewInt(b)) >= 0 {
			rest.Sub(rest, big.NewInt(b))
			out.Mul(out, root)
		}
	}
	return out.SetMantExp(out, int(whole))
}

// TestTopKBeyondItsCap: whether counted in one go or merged from parts, counts are never too low and too
// high by at most the events divided by the cap, the answer says that it is not exact, and a key more
// frequent than the last one is there.
func TestTopKBeyondItsCap(t *testing.T) {
	const events, limit = 5000, 32
	x := newAlgebra(t, feature.Definition{Name: "top", Aggregate: feature.TopK, N: 8}, feature.Type{Kind: feature.Text})
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 6))
		zipf := rand.NewZipf(r, 1.3, 1, 400)
		var in []agg.Input
		exact := map[string]int64{}
		for i := range events {
			key := fmt.Sprint("k", zipf.Uint64())
			in = append(in, agg.Input{Seq: int64(i), Of: agg.Operand{Kind: agg.Text, Text: key}})
			exact[key]++
		}
		folded := &agg.Partial{}
		for i := 0; i < events; i += 500 { // as a reader adds up tiles
			x.Fold(folded, decoder(x.encode(x.of(in[i:i+500]), 500)), 1)
		}
		for name, p := range map[string]*agg.Partial{"updated": x.of(in), "merged": x.mergeAtRandom(r, in), "folded": folded} {
			top, _ := x.Finalize(p).Top()
			if top.Exact || len(top.Keys) != 8 {
				t.Fatalf("seed %d, %s: %+v of %d keys", seed, name, top, len(exact))
			}
			seen := map[string]bool{}
			for _, k := range top.Keys {
				seen[k.Key] = true
				if k.Count < exact[k.Key] || k.Count > exact[k.Key]+events/limit {
					t.Fatalf("seed %d, %s: %s has %d, truly %d", seed, name, k.Key, k.Count, exact[k.Key])
				}
			}
			for key, n := range exact {
				if n > top.Keys[7].Count && !seen[key] {
					t.Fatalf("seed %d, %s: %s with %d is missing in %+v", seed, name, key, n, top)
				}
			}
		}
	}
}

// TestTopKForgetsNobodySlowly: a key that no night alone lifts above those that are held is found all
// the same, once it is the most frequent one.
func TestTopKForgetsNobodySlowly(t *testing.T) {
	x := newAlgebra(t, feature.Definition{Name: "top", Aggregate: feature.TopK, N: 8}, feature.Type{Kind: feature.Text})
	times := func(n int, k string) []agg.Input {
		return slices.Repeat([]agg.Input{{Of: agg.Operand{Kind: agg.Text, Text: k}}}, n)
	}
	var first []agg.Input
	for i := range 33 {
		first = append(first, times(100, fmt.Sprint("first", i))...)
	}
	whole := x.of(first)
	for range 30 {
		x.Merge(whole, x.of(times(90, "steady")))
	}
	top, _ := x.Finalize(whole).Top()
	if len(top.Keys) == 0 || top.Keys[0].Key != "steady" || top.Keys[0].Count < 2700 {
		t.Fatalf("the most frequent key, 2,700 times, does not lead %+v", top)
	}
}

// TestFirstKeys: the most frequent keys come first, then by key, however many are asked for.
func TestFirstKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, n := range []int{1, 3, 20, 64, 65, 200} {
		x := newAlgebra(t, feature.Definition{Name: "top", Aggregate: feature.TopK, N: n}, feature.Type{Kind: feature.Integer})
		counts := map[string]int64{}
		var values []int64
		for range 3000 {
			v := int64(math.Abs(r.NormFloat64() * float64(n)))
			values = append(values, v)
			counts[fmt.Sprint(v)]++
		}
		var want []agg.Counted
		for k, c := range counts {
			want = append(want, agg.Counted{Key: k, Count: c})
		}
		slices.SortFunc(want, func(a, b agg.Counted) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Key, b.Key))
		})
		top, _ := x.Finalize(x.of(ints(values...))).Top()
		if len(want) > max(32, 4*n) {
			continue // beyond the cap
		}
		if !top.Exact || !slices.Equal(top.Keys, want[:min(n, len(want))]) {
			t.Fatalf("n %d: %+v, want %v", n, top, want)
		}
	}
}
