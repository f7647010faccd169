package agg_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenEncodings holds the bytes of every aggregate. A change of them is a change of the format: it
// needs a new version of states and views (docs/formats/state.md).
func TestGoldenEncodings(t *testing.T) {
	var b strings.Builder
	for i, x := range algebras(t) {
		r := rand.New(rand.NewPCG(uint64(i), 11))
		for _, n := range []int{1, 3, 40} {
			in := inputs(r, x.typ, n)
			p := x.of(in)
			fmt.Fprintf(&b, "%s, %d events, key %s: %x = %s\n", x.name, n, x.Key(), x.encode(p, n), x.Finalize(p))
		}
	}
	wide := newAlgebra(t, feature.Definition{Name: "sum", Aggregate: feature.Sum}, feature.Type{Kind: feature.Integer})
	p := wide.of(ints(1<<62, 1<<62, 1<<62))
	fmt.Fprintf(&b, "sum beyond 64 bits: %x = %s\n", wide.encode(p, 3), wide.Finalize(p))
	golden(t, "testdata/encodings.golden", b.String())
}

// TestGoldenValues holds the JSON of answers.
func TestGoldenValues(t *testing.T) {
	var b strings.Builder
	for i, x := range algebras(t) {
		in := inputs(rand.New(rand.NewPCG(uint64(i), 12)), x.typ, 6)
		fmt.Fprintf(&b, "%s: %s, of nothing %s\n", x.name, x.Finalize(x.of(in)), x.Finalize(&agg.Partial{}))
	}
	golden(t, "testdata/values.golden", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Fatalf("%s differs; if that is meant: go test ./schemas/agg -update\n%s", file, diff)
	}
}
