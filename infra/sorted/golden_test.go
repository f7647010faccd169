package sorted_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares data with testdata/name, a hex dump as `hexdump -C` prints it.
func golden(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got := []byte(hex.Dump(data))
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bytes differ from %s: a new format needs a new version. Got\n%s", path, got)
	}
}

func TestGoldenTable(t *testing.T) {
	rows := map[string]string{"": "global", "user-1": "first", "user-2": "", "user-3": "third"}
	golden(t, "table.golden", write(t, rows, 40))
}

func TestGoldenRun(t *testing.T) {
	golden(t, "run.golden", writeRun(t, []pair{{key: "a", value: "1"}, {key: "a", value: "2"}, {key: "b"}}))
}
