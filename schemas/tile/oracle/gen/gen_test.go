package gen_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// TestCasesAreValid: what gen makes is what the product would take in.
func TestCasesAreValid(t *testing.T) {
	seen := map[feature.Aggregate]int{}
	for seed := range uint64(300) {
		c := gen.NewCase(seed, 6, 60)
		parsed, err := feature.ParseCanonical(c.Catalogue.Canonical())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(c.Catalogue, parsed, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: the catalogue reads back otherwise: %s", seed, diff)
		}
		for _, d := range c.Catalogue.Features {
			seen[d.Aggregate]++
		}
		positions := map[int64]bool{}
		for i, r := range c.Log {
			if r := r.Event.Check(); r != nil {
				t.Fatalf("seed %d: record %d: %v", seed, i, r)
			}
			if int64(r.Event.Time) > r.LogTime+event.MaxClockSkew {
				t.Fatalf("seed %d: record %d is %d ms after its log time", seed, i, int64(r.Event.Time)-r.LogTime)
			}
			if positions[r.Seq] {
				t.Fatalf("seed %d: two records have position %d", seed, r.Seq)
			}
			positions[r.Seq] = true
		}
	}
	for _, a := range feature.Aggregates() {
		if seen[a] < 50 {
			t.Errorf("%s occurs %d times in 1800 definitions", a, seen[a])
		}
	}
}

func TestCaseIsAFunctionOfItsSeed(t *testing.T) {
	if diff := cmp.Diff(gen.NewCase(7, 5, 80), gen.NewCase(7, 5, 80)); diff != "" {
		t.Fatal(diff)
	}
}
