package rawparquet

import (
	"encoding/binary"
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestLevels: what the reader's decoder, which TestPackedRuns judges, makes of the levels is what was noted.
func TestLevels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var l levels
		for range rapid.IntRange(1, 3).Draw(rt, "pages") { // reset keeps memory, and must keep nothing else
			l.reset()
			var want []bool
			nulls := 0
			for range rapid.IntRange(1, 20).Draw(rt, "runs") {
				k := kind(rapid.IntRange(0, 1).Draw(rt, "kind"))
				for range rapid.IntRange(1, 300).Draw(rt, "length") {
					l.add(k)
					want = append(want, k == present)
					nulls += int(k)
				}
			}
			if rows, n := l.counts(); rows != len(want) || n != nulls || l.empty() {
				rt.Fatalf("%d rows and %d nulls are counted of %d and %d", rows, n, len(want), nulls)
			}
			b := l.appendTo([]byte("before"))[len("before"):]
			if n := binary.LittleEndian.Uint32(b); int(n) != len(b)-4 {
				rt.Fatalf("the length says %d of %d bytes", n, len(b)-4)
			}
			got, n, err := appendLevels(nil, b[4:], len(want))
			if err != nil || n != len(want)-nulls {
				rt.Fatalf("%d rows have a value, want %d; %v", n, len(want)-nulls, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				rt.Fatal(d)
			}
		}
	})
}

func TestPackIDs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, 1<<17)).Draw(rt, "dictionary")
		ids := rapid.SliceOf(rapid.Uint32Range(0, uint32(size-1))).Draw(rt, "numbers")
		b := packIDs(nil, ids, uint(bits.Len(uint(max(1, size-1)))))
		got, err := appendIDs(nil, b, len(ids), size)
		if err != nil || len(got) != len(ids) {
			rt.Fatalf("%d of %d numbers, %v", len(got), len(ids), err)
		}
		for i, id := range ids {
			if got[i] != int32(id) {
				rt.Fatalf("number %d is %d, want %d", i, got[i], id)
			}
		}
	})
}
