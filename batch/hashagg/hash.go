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

// print is a text of up to 12 bytes itself, with its length; of a longer one it is a hash, which tells texts apart
// in all likelihood.
type print struct {
	lo   uint64
	hi   uint32
	size uint32 // up to 12, or longText
}

const longText = 15

func printOf(b []byte) print {
	n := len(b)
	switch {
	case n > 12:
		return longPrint(b)
	case n > 8:
		return print{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[n-4:]), uint32(n)}
	case n >= 4:
		return print{uint64(binary.LittleEndian.Uint32(b))<<32 | uint64(binary.LittleEndian.Uint32(b[n-4:])), 0, uint32(n)}
	case n > 0:
		return print{uint64(b[0])<<16 | uint64(b[n/2])<<8 | uint64(b[n-1]), 0, uint32(n)}
	}
	return print{}
}

// longPrint hashes a text of more than 12 bytes.
func longPrint(b []byte) print {
	h := seed0 ^ uint64(len(b))
	for len(b) > 16 {
		h = mix(binary.LittleEndian.Uint64(b)^seed1, binary.LittleEndian.Uint64(b[8:])^h)
		b = b[16:]
	}
	var lo, hi uint64
	if n := len(b); n >= 8 {
		lo, hi = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	} else {
		p := printOf(b)
		lo, hi = p.lo, uint64(p.size)
	}
	h = mix(lo^seed1, hi^h)
	return print{h, uint32(mix(h^seed2, seed1)), longText}
}

// hash returns the hash of the text. Equal texts have equal hashes in every process.
func (p print) hash() uint64 {
	return mix(seed1, mix(p.lo^seed1, (uint64(p.size)<<32|uint64(p.hi))^seed0))
}
