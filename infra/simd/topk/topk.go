// Package topk keeps the k best of many scored indexes without sorting them all.
//
// Better means a higher score; equal scores are ordered by the lower index, so that a ranking is a function of the
// scores alone, whatever order they are offered in. It costs O(n + m·log k), where m is how often an offer enters.
package topk

import (
	"math"
	"slices"
)

// Entry is a scored index.
type Entry struct {
	Index int32
	Score float32
}

// Before reports whether e ranks above f.
func (e Entry) Before(f Entry) bool {
	return e.Score > f.Score || (e.Score == f.Score && e.Index < f.Index)
}

// Heap keeps the best k entries offered since the last Reset: a binary heap with the worst of them at its root. The
// zero value keeps nothing.
type Heap struct {
	k       int
	entries []Entry
}

// Reset empties the heap and sets how many entries it keeps. Its memory is reused.
func (h *Heap) Reset(k int) {
	h.k = max(k, 0)
	h.entries = h.entries[:0]
}

// Offer considers one entry. A NaN score is not comparable and is never kept.
func (h *Heap) Offer(index int32, score float32) {
	e := Entry{Index: index, Score: score}
	switch {
	case math.IsNaN(float64(score)):
	case len(h.entries) < h.k:
		h.entries = append(h.entries, e)
		h.up(len(h.entries) - 1)
	case h.k > 0 && e.Before(h.entries[0]):
		h.entries[0] = e
		h.down()
	}
}

// Sorted returns the kept entries, best first. The slice belongs to the heap, which must be Reset before the next Offer.
func (h *Heap) Sorted() []Entry {
	slices.SortFunc(h.entries, func(a, b Entry) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	return h.entries
}

func (h *Heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.entries[parent].Before(h.entries[i]) {
			return
		}
		h.entries[parent], h.entries[i] = h.entries[i], h.entries[parent]
		i = parent
	}
}

func (h *Heap) down() {
	for i := 0; ; {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.entries); child++ {
			if h.entries[worst].Before(h.entries[child]) {
				worst = child
			}
		}
		if worst == i {
			return
		}
		h.entries[i], h.entries[worst] = h.entries[worst], h.entries[i]
		i = worst
	}
}
