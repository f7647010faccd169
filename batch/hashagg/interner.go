package hashagg

import (
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// interner numbers texts from 1 in the order of their appearance; 0 is null. A slot holds the text's print, so that
// most texts are found with one cache miss.
type interner struct {
	slots  []textSlot
	shift  uint // of a hash, to get a slot
	texts  column.Strings
	hashes []uint64 // by number
}

// textSlot is a print: in meta are the text's number and, in the lower four bits, the size. It is free where meta is 0.
type textSlot struct {
	lo   uint64
	hi   uint32
	meta uint32
}

func (s *textSlot) number() uint32 { return s.meta >> 4 }

// maxTexts is how many texts a slot can number.
const maxTexts = 1 << 28

const (
	firstSlotsLog = 10
	nullHash      = seed2
)

func newInterner() *interner {
	n := &interner{slots: make([]textSlot, 1<<firstSlotsLog), shift: 64 - firstSlotsLog}
	n.texts.AddEmpty(1)
	n.hashes = append(n.hashes, nullHash)
	return n
}

func (n *interner) bytes() int64 {
	return int64(len(n.slots))*16 + n.texts.Bytes() + int64(cap(n.hashes))*8
}

// reserve makes room for more texts: at most half of the slots are taken.
func (n *interner) reserve(more int) {
	needed := (len(n.hashes) + more) * 2
	if needed < len(n.slots) {
		return
	}
	old := n.slots
	size := len(old)
	for size <= needed {
		size *= 2
		n.shift--
	}
	n.slots = make([]textSlot, size)
	for i := range old {
		if old[i].meta > 0 {
			at := n.hashes[old[i].number()] >> n.shift
			for n.slots[at].meta > 0 {
				at = (at + 1) & uint64(size-1)
			}
			n.slots[at] = old[i]
		}
	}
}

// number returns the number of text i of a list, with its print and hash. Room must have been reserved.
func (n *interner) number(from *column.Strings, i int, p print, hash uint64) (uint32, error) {
	slots := n.slots
	for at := hash >> n.shift; ; at++ {
		at &= uint64(len(slots) - 1)
		s := &slots[at]
		if s.meta == 0 {
			return n.add(s, from.At(i), p, hash)
		}
		if s.lo == p.lo && s.hi == p.hi && s.meta&15 == p.size &&
			(p.size != longText || string(n.texts.At(int(s.number()))) == string(from.At(i))) {
			return s.number(), nil
		}
	}
}

func (n *interner) add(s *textSlot, text []byte, p print, hash uint64) (uint32, error) {
	number := uint32(n.texts.Len())
	if number >= maxTexts || !n.texts.Add(text) {
		return 0, errTexts
	}
	n.hashes = append(n.hashes, hash)
	*s = textSlot{p.lo, p.hi, number<<4 | p.size}
	return number, nil
}

// touch loads the slots of some hashes in a loop without branches, so that the cache misses overlap.
func (n *interner) touch(hashes []uint64) (sink uint64) {
	slots := n.slots
	for _, h := range hashes {
		sink ^= slots[h>>n.shift&uint64(len(slots)-1)].lo
	}
	return sink
}
