package sorted

import (
	"bytes"
	"fmt"
	"testing"
)

// TestFilter measures how often an absent key costs a read of a row.
func TestFilter(t *testing.T) {
	const rows, absent = 100_000, 1_000_000
	var out bytes.Buffer
	w := NewWriter(&out, Options{})
	for i := range rows {
		if err := w.Add(fmt.Appendf(nil, "user-%08d", 2*i), []byte("0123456789012345678901234567890123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenBytes(out.Bytes(), "table")
	if err != nil {
		t.Fatal(err)
	}
	positives := 0
	for i := range absent {
		key := fmt.Appendf(nil, "user-%08d.%d", i%(2*rows), i)
		_, found, probes, err := r.find(r.segmentOf(key), key, verified)
		if found || err != nil {
			t.Fatal(found, err)
		}
		positives += min(probes, 1)
	}
	lines := int64(0)
	for _, s := range r.segments {
		lines += s.lines
	}
	rate := float64(positives) / absent
	t.Logf("false positives %.4f %%, directory %.1f bytes a row", 100*rate, float64(lines*lineSize)/rows)
	// About 8 fingerprints of 16 bits are compared: 8/65536 = 0.012 %.
	if rate > 0.0003 {
		t.Errorf("false positive rate %.5f, more than 0.0003", rate)
	}
}

// TestCrowdedDirectory gives all rows one home line: probing has to find them all.
func TestCrowdedDirectory(t *testing.T) {
	const rows = 100
	hashes, places := make([]uint64, rows), make([]uint32, rows)
	for i := range places {
		places[i] = uint32(i)
	}
	dir := appendDirectory(nil, 0, hashes, places)
	if len(dir) != linesFor(rows)*lineSize {
		t.Fatalf("%d bytes, want %d lines", len(dir), linesFor(rows))
	}
	seen := 0
	for line := 0; line < len(dir); line += lineSize {
		for slot := range lineSlots {
			if place := order.Uint32(dir[line+slotPlaces+4*slot:]); place != emptyPlace {
				if int(place) != seen {
					t.Fatalf("place %d where %d was expected", place, seen)
				}
				seen++
			}
		}
	}
	if seen != rows {
		t.Errorf("%d of %d rows are in the directory", seen, rows)
	}
}
