package compare

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable"
)

const smallRows = 40

// values returns the small table's values.
func values() [][]byte {
	random := rand.NewChaCha8([32]byte{})
	out := make([][]byte, smallRows)
	for i := range out {
		out[i] = make([]byte, 1024)
		_, _ = random.Read(out[i]) // never fails
	}
	return out
}

func smallTable(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table")
	writeTable(t, path, smallRows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEqualRowsGiveEqualBytes(t *testing.T) {
	first := smallTable(t)
	for range 2 {
		if !bytes.Equal(first, smallTable(t)) {
			t.Error("the same rows gave other bytes")
		}
	}
}

// TestFlips changes every 41st byte, one at a time, and says what the reader makes of it.
func TestFlips(t *testing.T) {
	good, want := smallTable(t), values()
	var flips, refused, failed, wrong, panicked, unnoticed int
	for i := 0; i < len(good); i += 41 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		flips++
		switch read(bad, want) {
		case "refused":
			refused++
		case "failed":
			failed++
		case "wrong":
			wrong++
		case "panic":
			panicked++
		default:
			unnoticed++
		}
	}
	t.Logf("%d flips: %d refused on opening, %d failed reads, %d wrong answers, %d panics, %d unnoticed",
		flips, refused, failed, wrong, panicked, unnoticed)
}

func read(data []byte, want [][]byte) (result string) {
	defer func() {
		if recover() != nil {
			result = "panic"
		}
	}()
	r, err := sstable.NewMemReader(data, sstable.ReaderOptions{Filters: filters})
	if err != nil {
		return "refused"
	}
	defer r.Close()
	for i := range want {
		value, found, err := get(r, benchKey(2*i), nil)
		if err != nil {
			result = "failed"
		} else if !found || !bytes.Equal(value, want[i]) {
			return "wrong"
		}
	}
	return result
}
