package agg_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

var update = flag.Bool("update", false, "rewrite golden files")

var definitions = []feature.Definition{
	{Name: "count", Aggregate: feature.Count, Window: feature.Day},
	{Name: "decayed", Aggregate: feature.DecayedCount, HalfLife: 3 * feature.Day, Window: 30 * feature.Day},
	{Name: "last", Aggregate: feature.Last, Window: feature.Lifetime},
	{Name: "last_n", Aggregate: feature.LastN, N: 3, Window: feature.Lifetime},
	{Name: "top_k", Aggregate: feature.TopK, N: 4, Window: feature.Day},
}

func drawInputs(t *rapid.T, label string) []agg.Input {
	n := rapid.IntRange(0, 12).Draw(t, label)
	out := make([]agg.Input, n)
	for i := range out {
		out[i] = agg.Input{
			Time: 1000 + rapid.Int64Range(0, 5).Draw(t, "time"),
			// Positions are unique: the same one cannot carry two events.
			Seq:  int64(i)<<20 | rapid.Int64Range(0, 1<<20-1).Draw(t, "seq"),
			Item: fmt.Sprint("i", rapid.IntRange(0, 6).Draw(t, "item")), Type: "view", TileStart: 1000,
		}
		if rapid.Bool().Draw(t, "has value") {
			v := rapid.Float64Range(-10, 10).Draw(t, "value")
			out[i].Value = &v
		}
	}
	return out
}

func fold(m agg.Monoid, in []agg.Input) agg.Partial {
	p := m.Zero()
	for _, x := range in {
		p = m.Update(p, x)
	}
	return p
}

// same compares answers: exactly, but floats to a relative 1e-12.
func same(m agg.Monoid, a, b agg.Partial) string {
	read := func(p agg.Partial) agg.Value { return m.Finalize([]agg.TilePartial{{Start: 1000, Partial: p}}, 2000) }
	close := cmp.Comparer(func(x, y float64) bool { return math.Abs(x-y) <= 1e-12*math.Abs(x) })
	return cmp.Diff(read(a), read(b), close)
}

func TestLaws(t *testing.T) {
	for _, d := range definitions {
		m, err := agg.For(d)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(d.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in := drawInputs(t, "events")
				i := rapid.IntRange(0, len(in)).Draw(t, "first split")
				j := rapid.IntRange(i, len(in)).Draw(t, "second split")
				a, b, c := fold(m, in[:i]), fold(m, in[i:j]), fold(m, in[j:])
				laws(t, m, a, b, c, fold(m, in))
			})
		})
	}
}

func laws(t *rapid.T, m agg.Monoid, a, b, c, all agg.Partial) {
	before := m.Append(nil, a)
	if d := same(m, m.Merge(m.Merge(a, b), c), m.Merge(a, m.Merge(b, c))); d != "" {
		t.Fatal("not associative", d)
	}
	if d := same(m, m.Merge(a, b), m.Merge(b, a)); d != "" {
		t.Fatal("not commutative", d)
	}
	if d := same(m, m.Merge(a, m.Zero()), a); d != "" {
		t.Fatal("zero is no identity", d)
	}
	if d := same(m, m.Merge(m.Merge(a, b), c), all); d != "" {
		t.Fatal("merging parts differs from adding all", d)
	}
	b1 := m.Append(nil, all)
	got, rest, err := m.Decode(append(b1, 7))
	if err != nil || len(rest) != 1 {
		t.Fatal("decode:", err, len(rest))
	}
	if b2 := m.Append(nil, got); string(b1) != string(b2) {
		t.Fatalf("encoding is not stable: %x, %x", b1, b2)
	}
	if after := m.Append(nil, a); string(after) != string(before) {
		t.Fatal("Merge changed its argument")
	}
}

// TestGoldenEncodings keeps the bytes: a change of them is a change of a persisted format.
func TestGoldenEncodings(t *testing.T) {
	v := 2.5
	in := []agg.Input{
		{Time: 1000, Seq: 1, TileStart: 1000, Item: "i1", Type: "view"},
		{Time: 2000, Seq: 2, TileStart: 1000, Item: "i2", Type: "rating", Value: &v},
		{Time: 1500, Seq: 3, TileStart: 1000, Item: "i1", Type: "view"},
	}
	var b strings.Builder
	for _, d := range definitions {
		m, err := agg.For(d)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", d.Name, hex.EncodeToString(m.Append(nil, fold(m, in))))
	}
	const file = "testdata/encodings.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("encodings changed (go test ./schemas/agg -update, and raise the state's version): %s", d)
	}
}
