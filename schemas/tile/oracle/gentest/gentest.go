// Package gentest runs differential tests over the cases of package gen. Every engine's test uses it,
// so that a seed means the same catalogue and log to each of them: what fails in one can be tried in the
// others.
//
//	ANABRANCH_SEED=17 go test -run TestDefinitions ./batch/materialize            # plays one case again
//	ANABRANCH_DEFINITIONS=5000 go test -run TestDefinitions ./batch/materialize   # more than go test does
//
// With both, it begins at that seed.
package gentest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// A case of Run has this many definitions, and at most so many records.
const (
	perCase = 5
	records = 300
)

// Run tests as many cases, in parallel, as it takes to have that many definitions. r draws what else the
// test leaves to chance; it follows from the seed too.
func Run(t *testing.T, definitions uint64, test func(t *testing.T, c gen.Case, r *rand.Rand)) {
	t.Helper()
	first, n := Seeds(t, definitions, perCase)
	name := t.Name()
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel() // most of the time is spent on waiting for files
			t.Cleanup(func() {
				if dir, err := os.Getwd(); t.Failed() && err == nil {
					t.Logf("to play it again: cd %s && ANABRANCH_SEED=%d go test -count=1 -run '^%s$' .", dir, seed, name)
				}
			})
			test(t, gen.NewCase(seed, perCase, records), rand.New(rand.NewPCG(seed, 0x646966)))
		})
	}
}

// Seeds returns the first seed and the number of seeds to try, for a test with another kind of cases, of which
// each has some definitions: as many as it takes to have that many definitions, unless the environment
// says otherwise.
func Seeds(t *testing.T, definitions, each uint64) (first, n uint64) {
	t.Helper()
	first, one := number(t, "ANABRANCH_SEED", 1)
	definitions, more := number(t, "ANABRANCH_DEFINITIONS", definitions)
	if one && !more {
		return first, 1
	}
	return first, (definitions + each - 1) / each
}

// number returns a whole number out of the environment.
func number(t *testing.T, name string, otherwise uint64) (n uint64, set bool) {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: a whole number is required", name, s)
	}
	return n, true
}
