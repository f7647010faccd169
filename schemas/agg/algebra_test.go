package agg_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// algebra is a monoid under test.
type algebra struct {
	name string
	agg.Monoid
	def   feature.Definition
	typ   feature.Type
	float bool // its partials depend on the order of additions, within a bound
}

var types = []feature.Type{
	{Kind: feature.Text}, {Kind: feature.Integer}, {Kind: feature.Decimal, Scale: 2}, {Kind: feature.Float}, {Kind: feature.Boolean}, {Kind: feature.Time},
}

// algebras returns every aggregate over every type that it takes.
func algebras(t testing.TB) []algebra {
	var out []algebra
	for _, a := range feature.Aggregates() {
		d := feature.Definition{Name: string(a), Aggregate: a, Window: feature.Day}
		switch a {
		case feature.LastN:
			d.N = 3
		case feature.TopK:
			d.N = 4
		case feature.Distinct:
			d.Precision = 5 // 8 cells, then dense
		case feature.DecayedCount, feature.DecayedSum:
			d.HalfLife = 5 * feature.Hour
		case feature.Histogram:
			d.Bounds = []float64{-1, 0, 2.5, 100}
		}
		if a == feature.LastN {
			d.Of = feature.Interaction
			out = append(out, newAlgebra(t, d, feature.Type{}))
			d.Of = ""
		}
		takes := 0
		for _, typ := range types {
			if a.Accepts(typ.Kind) {
				takes++
				out = append(out, newAlgebra(t, d, typ))
			}
		}
		if takes == 0 {
			out = append(out, newAlgebra(t, d, feature.Type{}))
		}
	}
	return out
}

func newAlgebra(t testing.TB, d feature.Definition, typ feature.Type) algebra {
	m, err := agg.For(d, typ)
	if err != nil {
		t.Fatal(err)
	}
	x := algebra{name: d.Name, Monoid: m, def: d, typ: typ}
	if typ.Kind != "" {
		x.name += " of " + typ.String()
	}
	if d.Of == feature.Interaction {
		x.name += " of interaction"
	}
	sum := d.Aggregate == feature.Sum || d.Aggregate == feature.Mean
	x.float = d.HalfLife != 0 || sum && typ.Kind == feature.Float
	return x
}

const (
	tileStart = 1_772_323_200_000
	tileWidth = int64(feature.Day)
)

// input returns a random event of the type. Positions are unique: the same one cannot carry two events.
func input(r *rand.Rand, typ feature.Type, seq int64) agg.Input {
	in := agg.Input{
		Time: tileStart + r.Int64N(6)*tileWidth/6, Seq: seq, Start: tileStart,
		Item: fmt.Sprint("i", r.IntN(7)), Type: []string{"view", "cart"}[r.IntN(2)],
		Numerator: r.IntN(2) == 0, Denominator: r.IntN(3) > 0,
	}
	if r.IntN(2) == 0 {
		in.Value = agg.Operand{Kind: agg.Float, Float: r.NormFloat64()}
	}
	switch typ.Kind {
	case feature.Text:
		in.Of = agg.Operand{Kind: agg.Text, Text: fmt.Sprint("t", r.IntN(25))}
	case feature.Float:
		in.Of = agg.Operand{Kind: agg.Float, Float: []float64{r.NormFloat64(), 1e16, -1e16, 0.1, r.Float64()}[r.IntN(5)]}
	case feature.Boolean:
		in.Of = agg.Operand{Kind: agg.Int, Int: r.Int64N(2)}
	case feature.Integer, feature.Decimal, feature.Time:
		in.Of = agg.Operand{Kind: agg.Int, Int: []int64{r.Int64N(20), -1, 1<<53 - 1, -r.Int64N(8)}[r.IntN(4)]}
	}
	return in
}

func inputs(r *rand.Rand, typ feature.Type, n int) []agg.Input {
	var out []agg.Input
	for _, i := range r.Perm(n) {
		out = append(out, input(r, typ, int64(i)*1000+r.Int64N(1000)))
	}
	return out
}

// of returns the partial of events.
func (x algebra) of(in []agg.Input) *agg.Partial {
	var p agg.Partial
	for i := range in {
		x.Update(&p, &in[i])
	}
	return &p
}

// encode returns the table of texts and the encoding; empty for the partial of no events, which is
// never written.
func (x algebra) encode(p *agg.Partial, events int) []byte {
	if events == 0 {
		return nil
	}
	var e agg.Encoder
	x.Append(&e, p)
	return append(e.AppendTable(nil), e.Buf...)
}

// decoder opens what encode returned.
func decoder(b []byte) *agg.Decoder {
	d := &agg.Decoder{B: b}
	d.Table(nil)
	return d
}

// slack is how far two ways of adding up events may lie apart.
func (x algebra) slack(in []agg.Input) float64 {
	if !x.float {
		return 0
	}
	sum := 0.0
	for _, i := range in {
		switch {
		case x.def.Aggregate == feature.DecayedCount:
			sum += 32
		case i.Of.Kind == agg.Int:
			sum += 32 * math.Abs(float64(i.Of.Int))
		case x.def.Aggregate == feature.DecayedSum:
			sum += 32 * math.Abs(i.Of.Float)
		default: // double-doubles: next to nothing, but for the last rounding
			sum += 0x1p-40 * math.Abs(i.Of.Float)
		}
	}
	n := float64(len(in) + 4)
	if x.def.HalfLife == 0 {
		return n*0x1p-52*sum + 0x1p-51
	}
	return n * 0x1p-51 * sum
}

// agree compares two partials of the same events: by their bytes where these are canonical, else by
// their answers.
func (x algebra) agree(in []agg.Input, a, b *agg.Partial) error {
	if !x.float {
		if s, t := x.encode(a, len(in)), x.encode(b, len(in)); !bytes.Equal(s, t) {
			return fmt.Errorf("%s: %x and %x", x.name, s, t)
		}
		return nil
	}
	s, t := x.Finalize(a), x.Finalize(b)
	f, isF := s.Float64()
	g, isG := t.Float64()
	if isF != isG || math.Abs(f-g) > max(x.slack(in), 0x1p-52*math.Abs(f)) {
		return fmt.Errorf("%s: %s and %s are further apart than %g", x.name, s, t, x.slack(in))
	}
	return nil
}

// laws runs a property of every monoid on random events, in three random parts.
func laws(t *testing.T, law func(x algebra, a, b, c []agg.Input) error) {
	all := algebras(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		n := rapid.IntRange(0, 40).Draw(t, "events")
		for _, x := range all {
			in := inputs(r, x.typ, n)
			if x.def.Aggregate == feature.TopK { // exact below the cap only
				in = in[:min(n, 32)]
			}
			i := r.IntN(len(in) + 1)
			j := i + r.IntN(len(in)-i+1)
			if err := law(x, in[:i], in[i:j], in[j:]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestIdentity(t *testing.T) {
	laws(t, func(x algebra, a, _, _ []agg.Input) error {
		left, right := &agg.Partial{}, x.of(a)
		x.Merge(left, x.of(a))
		x.Merge(right, &agg.Partial{})
		for _, p := range []*agg.Partial{left, right} {
			if err := x.agree(a, p, x.of(a)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAssociativity(t *testing.T) {
	laws(t, func(x algebra, a, b, c []agg.Input) error {
		left, right, bc := x.of(a), x.of(a), x.of(b)
		x.Merge(left, x.of(b))
		x.Merge(left, x.of(c))
		x.Merge(bc, x.of(c))
		x.Merge(right, bc)
		return x.agree(slices.Concat(a, b, c), left, right)
	})
}

func TestCommutativity(t *testing.T) {
	laws(t, func(x algebra, a, b, _ []agg.Input) error {
		ab, ba := x.of(a), x.of(b)
		x.Merge(ab, x.of(b))
		x.Merge(ba, x.of(a))
		return x.agree(slices.Concat(a, b), ab, ba)
	})
}

func TestMergeIsUpdate(t *testing.T) {
	laws(t, func(x algebra, a, b, c []agg.Input) error {
		all := slices.Concat(a, b, c)
		merged := x.of(a)
		x.Merge(merged, x.of(slices.Concat(b, c)))
		return x.agree(all, merged, x.of(all))
	})
}

func TestOrderOfUpdates(t *testing.T) {
	laws(t, func(x algebra, a, b, c []agg.Input) error {
		return x.agree(slices.Concat(a, b, c), x.of(slices.Concat(a, b, c)), x.of(slices.Concat(c, b, a)))
	})
}

// TestFoldIsMerge: folding an encoding is merging what was encoded, and Skip passes over exactly it.
func TestFoldIsMerge(t *testing.T) {
	laws(t, func(x algebra, a, b, _ []agg.Input) error {
		if len(b) == 0 {
			return nil
		}
		encoded := x.encode(x.of(b), len(b))
		for _, start := range [][]agg.Input{nil, a} {
			folded, merged := x.of(start), x.of(start)
			d := decoder(append(encoded, 0xaa))
			x.Fold(folded, d, 1)
			if d.Err != nil || !bytes.Equal(d.B, []byte{0xaa}) {
				return fmt.Errorf("%s: Fold left %x of %x, error %w", x.name, d.B, encoded, d.Err)
			}
			x.Merge(merged, x.of(b))
			if err := x.agree(slices.Concat(start, b), folded, merged); err != nil {
				return err
			}
		}
		d := decoder(append(encoded, 0xaa))
		x.Skip(d)
		if d.Err != nil || !bytes.Equal(d.B, []byte{0xaa}) {
			return fmt.Errorf("%s: Skip left %x of %x, error %w", x.name, d.B, encoded, d.Err)
		}
		return nil
	})
}

// TestMergeLeavesItsOperand: what is merged can change afterwards, on either side.
func TestMergeLeavesItsOperand(t *testing.T) {
	laws(t, func(x algebra, a, b, c []agg.Input) error {
		q, p := x.of(b), x.of(a)
		x.Merge(p, q)
		for i := range c {
			x.Update(p, &c[i])
		}
		if err := x.agree(b, q, x.of(b)); err != nil {
			return fmt.Errorf("merging changed the operand: %w", err)
		}
		for i := range c {
			x.Update(q, &c[i])
		}
		return x.agree(slices.Concat(a, b, c), p, x.of(slices.Concat(a, b, c)))
	})
}

// TestResetForgets: a partial that was reset is that of no events, though it keeps its memory.
func TestResetForgets(t *testing.T) {
	laws(t, func(x algebra, a, b, c []agg.Input) error {
		p := x.of(a)
		x.Merge(p, x.of(b))
		x.Finalize(p)
		p.Reset()
		if got, want := x.Finalize(p).String(), x.Finalize(&agg.Partial{}).String(); got != want {
			return fmt.Errorf("%s: %s after Reset, want %s", x.name, got, want)
		}
		for i := range c {
			x.Update(p, &c[i])
		}
		return x.agree(c, p, x.of(c))
	})
}

// TestEarlyEnd: whatever is cut off is missed.
func TestEarlyEnd(t *testing.T) {
	laws(t, func(x algebra, a, _, _ []agg.Input) error {
		whole := x.encode(x.of(a), len(a))
		table := len(whole)
		if len(a) > 0 {
			table -= len(decoder(whole).B)
		}
		for n := table; n < len(whole); n++ {
			for name, read := range map[string]func(*agg.Decoder){
				"Fold": func(d *agg.Decoder) { x.Fold(&agg.Partial{}, d, 1) }, "Skip": x.Skip,
			} {
				d := decoder(whole[:n])
				if read(d); d.Err == nil {
					return fmt.Errorf("%s: %s took %d of the %d bytes %x", x.name, name, n, len(whole), whole)
				}
			}
		}
		return nil
	})
}
