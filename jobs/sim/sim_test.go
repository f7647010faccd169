package sim_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/jobs/sim"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // histories are small and make much garbage
	goleak.VerifyTestMain(m)
}

var (
	seeds = flag.Uint64("sim.seeds", 150, "how many histories TestSeeds plays")
	first = flag.Uint64("sim.seed", 1, "the first of them")
)

// TestSeeds plays histories. One that fails is shrunk and printed: `go run ./scripts/sim -replay FILE`
// plays what was printed.
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n /= 10
	}
	var next atomic.Uint64
	var failed atomic.Pointer[sim.Failure]
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= n {
					return
				}
				if f := sim.Generate(*first + i).Run(); f != nil {
					failed.CompareAndSwap(nil, f)
				}
			}
		})
	}
	all.Wait()
	if f := failed.Load(); f != nil {
		t.Fatalf("seed %d fails; shrunk:\n%v", f.Seed, sim.Shrink(f, 500))
	}
}

// TestHistories plays the histories in testdata/histories: what went wrong once, and stories.
func TestHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			h, err := sim.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			if failure := h.Run(); failure != nil {
				t.Fatal(failure)
			}
		})
	}
}

// TestReadIsTheInverseOfWrite also with notes.
func TestReadIsTheInverseOfWrite(t *testing.T) {
	for seed := range uint64(50) {
		h := sim.Generate(seed)
		var b bytes.Buffer
		if err := h.Write(&b, slices.Repeat([]string{"a note, event seed=1\nof two lines"}, len(h.Ops))); err != nil {
			t.Fatal(err)
		}
		again, err := sim.Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                             "the first line must be",
		"event seed=1":                 "the first line must be",
		"seed x":                       "no seed",
		"seed 1\ndance":                `line 2: unknown step "dance"`,
		"seed 1\n\n# no\nevent sead=1": `line 4: event: "sead=1" is none of [seed user back]`,
		"seed 1\nevent seed=one":       `"seed=one"`,
		"seed 1\nseed 2":               `unknown step "seed"`,
	} {
		if h, err := sim.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want an error with %q", text, h, err, says)
		}
	}
}

// TestFailureIsPrintedAndShrunk: a history that cannot be played fails at its step; the steps that have
// nothing to do with it go.
func TestFailureIsPrintedAndShrunk(t *testing.T) {
	h := sim.Generate(3)
	h.Ops = slices.Insert(slices.Clone(h.Ops), 20, sim.Op{Verb: "dance"})
	f := h.Run()
	if f == nil || len(f.Ops) != 21 {
		t.Fatalf("%v", f)
	}
	short := sim.Shrink(f, 200)
	if len(short.Ops) != 1 || short.Ops[0].Verb != "dance" {
		t.Errorf("shrunk to %v", short.Ops)
	}
	if want := "seed 3\ndance\n# unknown step \"dance\"\n"; short.Error() != want {
		t.Errorf("printed as %q, want %q", short.Error(), want)
	}
}

// TestAHistoryIsAFunctionOfItsSeed: playing it again tells the same.
func TestAHistoryIsAFunctionOfItsSeed(t *testing.T) {
	for seed := range uint64(5) {
		a, _ := sim.Generate(seed).Play()
		b, _ := sim.Generate(seed).Play()
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("seed %d tells something else: %s", seed, d)
		}
	}
}

// TestHistoriesAreRich: what has to happen often enough to be tested does.
func TestHistoriesAreRich(t *testing.T) {
	const histories = 60
	want := map[string]int{ // in so many histories
		": exact": 50, ": degraded": 10, ": absent": 10, "live state is being filled": 10, "no longer holds every epoch": 2,
		"live state is missing": 10, "Redis cannot be reached": 5, "a clock is wrong": 2,
		"crashed": 15, "are lost": 10, "continued from": 30, "(behind)": 2, "(ahead)": 5, "(missing)": 2,
		"is ahead of its fence": 20, "the fence is deleted": 1, "history is closed": 3, "is too early": 30,
	}
	got := map[string]int{}
	for seed := range uint64(histories) {
		notes, failure := sim.Generate(seed + 1).Play()
		if failure != nil {
			t.Fatal(failure)
		}
		text := strings.Join(notes, "\n")
		for what := range want {
			if strings.Contains(text, what) {
				got[what]++
			}
		}
	}
	for what, n := range want {
		if got[what] < n {
			t.Errorf("%q happens in %d of %d histories, want %d", what, got[what], histories, n)
		}
	}
	t.Logf("%v", got)
}
