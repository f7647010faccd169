// Package simd holds the float32 kernels that training and serving spend their time in.
//
// # Shapes
//
// A vector is a []float32. A set of n vectors of length d is one row-major []float32 of length n·d. A symmetric or
// lower triangular d×d matrix is packed: row i holds its first i+1 entries and starts at i(i+1)/2, see [PackedLen].
// Functions work in place, allocate nothing and start no goroutine. Lengths that do not fit together are a
// programming error and end in the runtime's index panic; nothing is truncated silently.
//
// # Tiers
//
// What is here is the portable tier ("go"). It is the reference that faster tiers are tested against, and it gives
// the same bytes on every architecture: each product is rounded by an explicit float32 conversion, which by the Go
// specification keeps the compiler from fusing it with the addition that follows (arm64 would, amd64 would not).
// Sums have a fixed order that depends on lengths only.
//
// Assembly tiers join at exactly this API: each exported function becomes a call through a table that is chosen once
// by the CPU and the ANABRANCH_SIMD variable, and the functions of today become the table's "go" column. Tiers agree
// within rounding, not bit for bit, which is why a generation records the tier that made it.
package simd
