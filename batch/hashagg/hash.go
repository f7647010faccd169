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

// print is a text in two words and its length: with up to 16 bytes it is the text itself, beyond it tells
// texts apart in all likelihood.
type print struct {
	lo, hi uint64
	size   uint32
}

func printOf(b []byte) print {
	p := print{size: uint32(len(b))}
	h := uint64(0)
	for len(b) > 16 {
		h = mix(binary.LittleEndian.Uint64(b)^seed1, binary.LittleEndian.Uint64(b[8:])^h^seed0)
		b = b[16:]
	}
	switch {
	case len(b) >= 8:
		p.lo, p.hi = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		p.lo, p.hi = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		p.lo = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	p.hi ^= h
	return p
}

// exact reports whether no other text has the same print.
func (p print) exact() bool { return p.size <= 16 }

// hash returns the hash of the text. Equal texts have equal hashes in every process.
func (p print) hash() uint64 {
	return mix(seed1^uint64(p.size), mix(p.lo^seed1, p.hi^seed0))
}
