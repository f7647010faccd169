package model

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestHistoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SliceOf(rapid.Custom(func(t *rapid.T) HistoryEntry {
			return HistoryEntry{
				Item: rapid.Uint32().Draw(t, "item"), Weight: rapid.Float32().Draw(t, "weight"), Last: rapid.Int64().Draw(t, "last"),
			}
		})).Draw(t, "row")
		got, err := DecodeHistory(AppendHistory(nil, row))
		if err != nil || len(got) != len(row) {
			t.Fatalf("%d entries of %d, %v", len(got), len(row), err)
		}
		for i := range row {
			if got[i] != row[i] {
				t.Errorf("entry %d: %+v, want %+v", i, got[i], row[i])
			}
		}
	})
}

// TestHistoryBytes pins the format: generations are read by later builds.
func TestHistoryBytes(t *testing.T) {
	got := AppendHistory([]byte{0xff}, []HistoryEntry{{Item: 0x01020304, Weight: 1.5, Last: 1_700_000_000_000}})
	want := []byte{0xff, 4, 3, 2, 1, 0, 0, 0xc0, 0x3f, 0x00, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 15))
	f.Add(AppendHistory(nil, []HistoryEntry{{Item: 1, Weight: 2, Last: 3}, {Item: 4}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := DecodeHistory(b)
		if (err == nil) != (len(b)%historyEntryBytes == 0) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		if again := AppendHistory(nil, row); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
