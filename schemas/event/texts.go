package event

import (
	"encoding/binary"
	"math/bits"
)

// Texts shares the texts that records repeat: types, categories, names and values of context and
// properties. It is a cache of fixed size in which a text may push out another, so it cannot be made
// to grow. The nil *Texts shares nothing. It is not safe for concurrent use; who reads one partition
// keeps one and hands it to Validity.
type Texts struct {
	slots [1 << textBits]string
}

const (
	textBits      = 10
	maxSharedText = 32 // bytes; longer texts rarely repeat
)

// text returns b as a string.
func (t *Texts) text(b []byte) string {
	if t == nil || len(b) > maxSharedText {
		return string(b)
	}
	slot := &t.slots[textHash(b)]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// textHash mixes the length with the first and the last bytes: cheap, and good enough for words.
func textHash(b []byte) uint64 {
	const odd = 0x9E3779B97F4A7C15 // 2^64 / golden ratio
	var first, last uint64
	switch n := len(b); {
	case n >= 8:
		first, last = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		first, last = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		first, last = uint64(b[0])<<8|uint64(b[n/2]), uint64(b[n-1])
	}
	h := (first ^ bits.RotateLeft64(last, 29) ^ uint64(len(b))<<56) * odd
	return (h ^ h>>32) * odd >> (64 - textBits)
}
