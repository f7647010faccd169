package materialize

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// dictionary numbers texts in the order of their first appearance, which depends on the timing of the
// workers: nothing that is written may follow from a number, only from the text or its rank. Each
// text takes its bytes and about 40 more, and as much again in the cache of each reading worker.
type dictionary struct {
	mu    sync.Mutex
	table hashTable
	texts []string
	arena []byte // the texts that come next
}

// add returns the number of a text and the dictionary's own copy of it.
func (d *dictionary) add(hash uint64, text []byte) (uint32, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, found := d.table.find(hash, func(n uint32) bool { return d.texts[n] == string(text) })
	if found {
		return n, d.texts[n]
	}
	n = uint32(len(d.texts))
	d.table.add(hash, n)
	d.texts = append(d.texts, d.keep(text))
	return n, d.texts[n]
}

// find returns the number of a text that has been added. Call it when nothing is added any more.
func (d *dictionary) find(hash uint64, text []byte) (n uint32, found bool) {
	return d.table.find(hash, func(n uint32) bool { return d.texts[n] == string(text) })
}

// keep copies a text into memory that is shared by many and never changes.
func (d *dictionary) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if cap(d.arena)-len(d.arena) < len(text) {
		d.arena = make([]byte, 0, max(1<<16, len(text)))
	}
	at := len(d.arena)
	d.arena = append(d.arena, text...)
	return unsafe.String(&d.arena[at], len(text))
}

// ranks returns the rank of each number in the order of the texts, and the numbers by rank. Call it when nothing
// is added any more.
func (d *dictionary) ranks() (rank, byRank []uint32) {
	byRank = make([]uint32, len(d.texts))
	for i := range byRank {
		byRank[i] = uint32(i)
	}
	slices.SortFunc(byRank, func(a, b uint32) int { return compareTexts(d.texts[a], d.texts[b]) })
	rank = make([]uint32, len(d.texts))
	for r, n := range byRank {
		rank[n] = uint32(r)
	}
	return rank, byRank
}

// cache is one worker's view of a dictionary: it answers without a lock for texts that it has met.
type cache struct {
	of    *dictionary
	slots []cacheSlot // open addressing with linear probing, at most two thirds full
	used  int
}

type cacheSlot struct {
	hash   uint64
	text   string // the dictionary's own
	number uint32 // plus 1; 0 is an empty slot
}

func (c *cache) number(hash uint64, text []byte) uint32 {
	if len(c.slots) == 0 {
		c.grow()
	}
	mask := uint64(len(c.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &c.slots[i]
		if s.number == 0 {
			return c.meet(hash, text)
		}
		if s.hash == hash && s.text == string(text) {
			return s.number - 1
		}
	}
}

// meet asks the dictionary.
func (c *cache) meet(hash uint64, text []byte) uint32 {
	n, own := c.of.add(hash, text)
	if c.used++; 3*c.used > 2*len(c.slots) {
		c.grow()
	}
	c.place(cacheSlot{hash, own, n + 1})
	return n
}

func (c *cache) grow() {
	old := c.slots
	c.slots = make([]cacheSlot, max(64, 2*len(old)))
	for _, s := range old {
		if s.number != 0 {
			c.place(s)
		}
	}
}

func (c *cache) place(s cacheSlot) {
	mask := uint64(len(c.slots) - 1)
	i := s.hash & mask
	for c.slots[i].number != 0 {
		i = (i + 1) & mask
	}
	c.slots[i] = s
}

// hashTable finds numbers by hash: open addressing with linear probing, at most half full.
type hashTable struct {
	slots []slot
	used  int
}

type slot struct {
	hash   uint64
	number uint32 // plus 1; 0 is an empty slot
}

// find returns the first number of the hash that is the one meant.
func (t *hashTable) find(hash uint64, same func(uint32) bool) (uint32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; t.slots[i].number != 0; i = (i + 1) & mask {
		if s := &t.slots[i]; s.hash == hash && same(s.number-1) {
			return s.number - 1, true
		}
	}
	return 0, false
}

// add puts a number that is not there.
func (t *hashTable) add(hash uint64, number uint32) {
	if 2*(t.used+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]slot, max(64, 2*len(old)))
		for _, s := range old {
			if s.number != 0 {
				t.place(s)
			}
		}
	}
	t.used++
	t.place(slot{hash, number + 1})
}

func (t *hashTable) place(s slot) {
	mask := uint64(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].number != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// clear empties the table and keeps its memory.
func (t *hashTable) clear() {
	clear(t.slots)
	t.used = 0
}

func hashText(b []byte) uint64 { return xxhash.Sum64(b) }

func compareTexts(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
