package hashagg

import (
	"encoding/binary"
	"math/bits"
)

// Constants of wyhash (Wang Yi, public domain), whose scheme this follows.
const (
	seed0 = 0xa0761d6478bd642f
	seed1 = 0xe7037ed1a0b428db
	seed2 = 0x8ebc6af09c88c6e3
)

// mix folds the 128-bit product of two words.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// combine adds a key's hash to that of the keys before it.
func combine(h, key uint64) uint64 { return mix(h^seed2, key^seed1) }

// hashText hashes a text. Equal texts have equal hashes in every process.
func hashText(b []byte) uint64 {
	n := uint64(len(b))
	h := uint64(seed0)
	for len(b) > 16 {
		h = mix(binary.LittleEndian.Uint64(b)^seed1, binary.LittleEndian.Uint64(b[8:])^h)
		b = b[16:]
	}
	var lo, hi uint64
	switch {
	case len(b) >= 8:
		lo, hi = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		lo, hi = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		lo = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	return mix(seed1^n, mix(lo^seed1, hi^h))
}
