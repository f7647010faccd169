package sim

import "testing"

// BenchmarkHistory plays one history after the other.
func BenchmarkHistory(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		if f := Generate(seed).Run(); f != nil {
			b.Fatal(f)
		}
	}
}
