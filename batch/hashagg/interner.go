package hashagg

import (
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// interner numbers texts from 1 in the order of their appearance; 0 is null.
type interner struct {
	slots  []uint64 // upper half of the hash, number; 0 is free
	shift  uint     // of the upper half, to get a slot
	texts  column.Strings
	hashes []uint64 // by number
}

const (
	firstSlotsLog = 10
	nullHash      = seed2
)

func newInterner() *interner {
	n := &interner{slots: make([]uint64, 1<<firstSlotsLog), shift: 32 - firstSlotsLog}
	n.texts.AddEmpty(1)
	n.hashes = append(n.hashes, nullHash)
	return n
}

func (n *interner) bytes() int64 {
	return int64(cap(n.slots))*8 + n.texts.Bytes() + int64(cap(n.hashes))*8
}

// reserve makes room for more texts.
func (n *interner) reserve(more int) {
	if needed := len(n.hashes) + more; needed*2 > len(n.slots) {
		n.slots, n.shift = grow(n.slots, n.shift, needed*2)
	}
}

// number returns the number of a text with its hash. Room must have been reserved.
func (n *interner) number(text []byte, hash uint64) (uint32, error) {
	tag := hash >> 32
	slots := n.slots
	for at := tag >> n.shift; ; at++ {
		at &= uint64(len(slots) - 1)
		s := slots[at]
		if s == 0 {
			return n.add(text, hash, at)
		}
		if s>>32 == tag && string(n.texts.At(int(uint32(s)))) == string(text) {
			return uint32(s), nil
		}
	}
}

func (n *interner) add(text []byte, hash, at uint64) (uint32, error) {
	number := uint32(n.texts.Len())
	if !n.texts.Add(text) {
		return 0, errTexts
	}
	n.hashes = append(n.hashes, hash)
	n.slots[at] = hash>>32<<32 | uint64(number)
	return number, nil
}

// grow returns slots of at least the wanted number. Slots are ordered by hash, so it is one pass over
// both arrays.
func grow(old []uint64, shift uint, wanted int) ([]uint64, uint) {
	size := len(old)
	for size < wanted {
		size *= 2
		shift--
	}
	slots := make([]uint64, size)
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := s >> 32 >> shift
		for slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		slots[at] = s
	}
	return slots, shift
}
