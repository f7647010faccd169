package agg

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestSkipUints passes over random numbers of all lengths, and over too many.
func TestSkipUints(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var b []byte
		ends := []int{0}
		for range rng.IntN(40) {
			b = binary.AppendUvarint(b, rng.Uint64()>>rng.IntN(65))
			ends = append(ends, len(b))
		}
		for n, at := range ends {
			d := Decoder{B: b}
			if d.skipUints(n); d.Err != nil || len(d.B) != len(b)-at {
				t.Fatalf("%d numbers of %x: %d bytes are left, %v; want %d", n, b, len(d.B), d.Err, len(b)-at)
			}
		}
		d := Decoder{B: b}
		if d.skipUints(len(ends)); d.Err == nil {
			t.Fatalf("%d numbers of %x, which has %d", len(ends), b, len(ends)-1)
		}
	}
}
