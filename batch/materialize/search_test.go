package materialize

import (
	"sort"
	"testing"

	"pgregory.net/rapid"
)

// TestSearchNear: wherever it begins, it finds what sort.Search finds, and looks only where there is something.
func TestSearchNear(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(rt, "n")
		first, guess := rapid.IntRange(0, n).Draw(rt, "first"), rapid.IntRange(0, n).Draw(rt, "guess")
		reached := func(i int) bool {
			if i < 0 || i >= n {
				rt.Fatalf("looked at %d of %d", i, n)
			}
			return i >= first
		}
		if got, want := searchNear(n, guess, reached), sort.Search(n, reached); got != want {
			rt.Fatalf("of %d, guessed %d: %d, want %d", n, guess, got, want)
		}
	})
}
