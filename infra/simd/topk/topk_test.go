package topk

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestHeapEqualsAFullSort draws scores from few values, so that ties are common, and offers them in a random order.
func TestHeapEqualsAFullSort(t *testing.T) {
	var h Heap
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOf(rapid.SampledFrom([]float32{-1, 0, .5, 2, 3, float32(math.Inf(-1))})).Draw(t, "scores")
		k := rapid.IntRange(-1, len(scores)+2).Draw(t, "k")
		want := make([]Entry, len(scores))
		for i, s := range scores {
			want[i] = Entry{Index: int32(i), Score: s}
		}
		offers := rapid.Permutation(want).Draw(t, "order")
		slices.SortStableFunc(want, func(a, b Entry) int {
			switch {
			case a.Score > b.Score:
				return -1
			case a.Score < b.Score:
				return 1
			}
			return 0
		})
		want = want[:min(max(k, 0), len(want))]

		h.Reset(k)
		for _, e := range offers {
			h.Offer(e.Index, e.Score)
		}
		if diff := cmp.Diff(want, append([]Entry{}, h.Sorted()...)); diff != "" {
			t.Fatalf("top %d differs (-sort +heap):\n%s", k, diff)
		}
	})
}

func TestNaNIsNeverKept(t *testing.T) {
	var h Heap
	h.Reset(2)
	h.Offer(0, float32(math.NaN()))
	h.Offer(1, 1)
	if got := h.Sorted(); len(got) != 1 || got[0].Index != 1 {
		t.Fatalf("kept %v, want only index 1", got)
	}
}
