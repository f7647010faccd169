package live

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestCacheHoldsWhatWasPut: whatever is put, the cache answers with what was put last under the suffix, or not at all, and
// takes no more memory than it may.
func TestCacheHoldsWhatWasPut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCache(rapid.SampledFrom([]int{100, 3_000, 20_000, 200_000}).Draw(rt, "limit"))
		want := map[string][]byte{}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		suffixes := 1 + rng.IntN(300)
		for range 2000 {
			suffix := fmt.Sprint("u:", rng.IntN(suffixes))
			if state, ok := c.get(suffix); ok && !bytes.Equal(state, want[suffix]) {
				rt.Fatalf("%s is %d bytes, want %d", suffix, len(state), len(want[suffix]))
			}
			switch rng.IntN(40) {
			case 0:
				want[suffix] = nil
			case 1:
				want[suffix] = make([]byte, rng.IntN(30_000))
			default:
				want[suffix] = bytes.Repeat([]byte{byte(rng.IntN(256))}, len(want[suffix])%500+rng.IntN(9))
			}
			c.put(suffix, want[suffix])
			if rng.IntN(500) == 0 {
				c.clear()
			}
			sum := 0
			for _, s := range c.segments {
				sum += cap(s)
			}
			if sum != c.used || c.used+len(c.index)*indexBytes > c.limit {
				rt.Fatalf("%d bytes in segments, %d counted, %d entries; the limit is %d", sum, c.used, len(c.index), c.limit)
			}
		}
	})
}

// TestCacheKeepsWhatIsAskedFor: states that are asked for stay while many others pass, as long as they fit.
func TestCacheKeepsWhatIsAskedFor(t *testing.T) {
	const states, size = 1000, 5000
	c := newCache(3 * states * size)
	state := make([]byte, size)
	missed := 0
	for round := range 200 {
		for i := range states {
			suffix := fmt.Sprint("u:", i)
			if _, ok := c.get(suffix); !ok {
				missed++
				c.put(suffix, state)
			}
		}
		for i := range states / 2 {
			c.put(fmt.Sprint("i:", round, "-", i), state)
		}
	}
	if missed > 2*states {
		t.Errorf("%d of %d were not there", missed, 200*states)
	}
}

// TestCacheOfOneState: a state that is as large as the cache may be replaces all others, a larger one is not kept.
func TestCacheOfOneState(t *testing.T) {
	c := newCache(10_000)
	c.put("u:small", []byte("small"))
	c.put("g", make([]byte, 8_700))
	if state, ok := c.get("g"); !ok || len(state) != 8_700 {
		t.Error("a large state is not kept")
	}
	if _, ok := c.get("u:small"); ok {
		t.Error("a small state is kept beside one that needs all the room")
	}
	c.put("g", make([]byte, 20_000))
	if _, ok := c.get("g"); ok {
		t.Error("a state beyond the limit is kept, or the one before it")
	}
	c.put("none", nil)
	if state, ok := c.get("none"); !ok || len(state) != 0 {
		t.Error("that nobody has seen an entity is not kept")
	}
}
