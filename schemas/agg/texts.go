package agg

import "hash/maphash"

// textIndex finds the numbers of an encoder's texts: a hash table with open addressing, emptied in no time, since
// thousands of small views are encoded one after the other.
type textIndex struct {
	seed  maphash.Seed
	slots []textSlot // a power of two, at most half of them in use
	round uint32     // slots of other rounds are free
}

type textSlot struct {
	hash   uint64
	number uint32
	round  uint32
}

// reset forgets all texts and keeps the memory.
func (x *textIndex) reset() {
	if x.round++; x.round == 0 { // once in four thousand million views
		clear(x.slots)
		x.round = 1
	}
}

// find returns the slot of a text among texts, or the free one where it belongs.
func (x *textIndex) find(texts []string, s string) *textSlot {
	if 2*len(texts) >= len(x.slots) {
		x.grow(texts)
	}
	hash := maphash.String(x.seed, s)
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &x.slots[i]
		if slot.round != x.round {
			slot.hash = hash
			return slot
		}
		if slot.hash == hash && texts[slot.number] == s {
			return slot
		}
	}
}

// grow doubles the table and enters all texts again.
func (x *textIndex) grow(texts []string) {
	if x.slots == nil {
		x.seed, x.round = maphash.MakeSeed(), 1
	}
	x.slots = make([]textSlot, max(64, 2*len(x.slots)))
	mask := uint64(len(x.slots) - 1)
	for n, s := range texts {
		hash := maphash.String(x.seed, s)
		i := hash & mask
		for x.slots[i].round == x.round {
			i = (i + 1) & mask
		}
		x.slots[i] = textSlot{hash: hash, number: uint32(n), round: x.round}
	}
}
