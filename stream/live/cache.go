package live

import (
	"encoding/binary"
	"hash/maphash"
)

// cache keeps the encoded states of one partition. What it holds is what Redis holds under the current fence; on any doubt
// it is dropped whole.
//
// It is a log: states are appended to segments, and when the limit is reached the oldest segment goes, but for the states in it
// that were asked for since they were written, which are appended once more (second chance). So a cache of any size has a few
// pointers only. With an object for each state, half a million of them, Go's collector took 13 % of a runner's CPU.
type cache struct {
	limit, used int // bytes; the spare segment is not counted
	seed        maphash.Seed
	index       map[uint64]place // by hash of the suffix; entries whose suffix is another one are not it
	segments    []segment        // oldest first; states are appended to the last one
	first       uint32           // the number of segments[0]
	spare       []byte           // the memory of a segment that is gone
}

// segment is the used part of a segment's memory.
type segment []byte

// place is the number of a segment and where an entry begins in it.
type place struct{ segment, at uint32 }

// An entry is a head, the suffix, the state, and room for it to grow. The head: hash, length of the suffix, room for the
// state, length of the state, whether it was asked for.
const (
	headSuffix = 8
	headRoom   = 12
	headState  = 16
	headAsked  = 20
	headBytes  = 24
)

const (
	segmentBytes = 256 << 10 // of a segment at most, unless one state needs more
	segments     = 32        // at least, where the limit is small
	indexBytes   = 40        // of an entry, about
)

// newCache returns a cache of so many bytes.
func newCache(limit int) *cache {
	c := &cache{limit: limit, seed: maphash.MakeSeed()}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.used, c.index, c.segments, c.spare = 0, map[uint64]place{}, nil, nil
}

// get returns the state under a suffix, which must not be changed and is valid until the next put; ok is false when it
// is not cached. An empty state is that of an entity that nobody has seen.
func (c *cache) get(suffix string) (state []byte, ok bool) {
	e, ok := c.find(maphash.String(c.seed, suffix), suffix)
	if !ok {
		return nil, false
	}
	e[headAsked] = 1
	return e.state(), true
}

// put keeps a copy of a state. One that is larger than the whole cache is not kept.
func (c *cache) put(suffix string, state []byte) {
	hash := maphash.String(c.seed, suffix)
	if e, ok := c.find(hash, suffix); ok && e.room() >= len(state) {
		binary.LittleEndian.PutUint32(e[headState:], uint32(len(state)))
		copy(e[headBytes+len(suffix):], state)
		return
	}
	delete(c.index, hash)
	room := len(state) + len(state)/8 // states grow from batch to batch
	need := headBytes + len(suffix) + room
	if need+indexBytes > c.limit {
		return
	}
	if n := len(c.segments); n == 0 || cap(c.segments[n-1])-len(c.segments[n-1]) < need {
		c.grow(need)
	}
	e := c.add(hash, need)
	binary.LittleEndian.PutUint64(e, hash)
	binary.LittleEndian.PutUint32(e[headSuffix:], uint32(len(suffix)))
	binary.LittleEndian.PutUint32(e[headRoom:], uint32(room))
	binary.LittleEndian.PutUint32(e[headState:], uint32(len(state)))
	binary.LittleEndian.PutUint32(e[headAsked:], 0)
	copy(e[headBytes:], suffix)
	copy(e[headBytes+len(suffix):], state)
	c.shrink(0)
}

// add makes an entry of n bytes at the end of the log.
func (c *cache) add(hash uint64, n int) entryOf {
	last := len(c.segments) - 1
	s := &c.segments[last]
	at := len(*s)
	*s = (*s)[:at+n]
	c.index[hash] = place{c.first + uint32(last), uint32(at)}
	return entryOf((*s)[at:])
}

// grow begins a segment that has room for an entry of need bytes.
func (c *cache) grow(need int) {
	size := min(segmentBytes, c.limit/segments)
	if size < 2*need {
		size = need
	}
	memory := c.spare
	if c.spare = nil; cap(memory) != size {
		memory = make([]byte, 0, size)
	}
	c.segments, c.used = append(c.segments, memory[:0]), c.used+size
	c.shrink(need)
}

// shrink drops the oldest segments beyond the limit, but for the states in them that were asked for. It leaves room for an
// entry of need bytes in the last one.
func (c *cache) shrink(need int) {
	for c.used+len(c.index)*indexBytes > c.limit && len(c.segments) > 1 {
		oldest := c.segments[0]
		c.segments, c.first = c.segments[1:], c.first+1
		c.rescue(oldest, c.first-1, need)
		c.used -= cap(oldest)
		c.spare = oldest
	}
}

// rescue appends the states of a segment that goes and were asked for, as long as the last segment has room for need bytes
// and a quarter of it is free: the next segment should not go too soon.
func (c *cache) rescue(s segment, number uint32, need int) {
	last := c.segments[len(c.segments)-1]
	most := cap(last) - max(need, cap(last)/4)
	for at := 0; at < len(s); {
		e := entryOf(s[at:])
		n, hash := e.bytes(), binary.LittleEndian.Uint64(s[at:])
		if c.index[hash] == (place{number, uint32(at)}) {
			delete(c.index, hash)
			if e[headAsked] != 0 && len(c.segments[len(c.segments)-1])+n <= most {
				moved := c.add(hash, n)
				copy(moved, e[:n])
				moved[headAsked] = 0
			}
		}
		at += n
	}
}

// find returns the entry of a suffix.
func (c *cache) find(hash uint64, suffix string) (e entryOf, ok bool) {
	p, ok := c.index[hash]
	if !ok {
		return nil, false
	}
	e = entryOf(c.segments[p.segment-c.first][p.at:])
	return e, string(e.suffix()) == suffix
}

// entryOf is the rest of a segment that begins with an entry.
type entryOf []byte

func (e entryOf) suffix() []byte {
	return e[headBytes:][:binary.LittleEndian.Uint32(e[headSuffix:])]
}

func (e entryOf) room() int { return int(binary.LittleEndian.Uint32(e[headRoom:])) }

func (e entryOf) bytes() int {
	return headBytes + int(binary.LittleEndian.Uint32(e[headSuffix:])) + e.room()
}

func (e entryOf) state() []byte {
	n := binary.LittleEndian.Uint32(e[headState:])
	return e[headBytes+binary.LittleEndian.Uint32(e[headSuffix:]):][:n:n]
}
