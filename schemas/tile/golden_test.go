package tile_test

import (
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenBytes holds the bytes of a state and of a view. A change of them needs a new version of both
// (docs/formats/state.md).
func TestGoldenBytes(t *testing.T) {
	_, state, view := smallState(t, 12)
	var b strings.Builder
	for name, bytes := range map[string][]byte{"state": state, "view": view} {
		file := "testdata/" + name + ".golden"
		b.Reset()
		for dump := hex.EncodeToString(bytes); dump != ""; dump = dump[min(120, len(dump)):] {
			b.WriteString(dump[:min(120, len(dump))] + "\n")
		}
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs; if that is meant: go test ./schemas/tile -update", file)
		}
	}
}
