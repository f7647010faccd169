package live

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestChunksAreWhatWasEncoded: any suffixes come back, and a chunk that is cut in a suffix is refused.
func TestChunksAreWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOf(rapid.String()).Draw(rt, "suffixes")
		b := encodeChunk(want)
		if got, err := decodeChunk(nil, b); err != nil || !slices.Equal(got, want) {
			rt.Fatalf("%q, %v; want %q", got, err, want)
		}
		if n := len(want); n > 0 && len(want[n-1]) > 0 {
			if _, err := decodeChunk(nil, b[:len(b)-1]); !errors.Is(err, errChunk) {
				rt.Fatalf("without its last byte: %v", err)
			}
		}
	})
}
