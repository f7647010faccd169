package live

// entryBytes is about what an entry of the cache takes beside its key and its state: itself and its place in the map.
const entryBytes = 160

// cache keeps the encoded states of one partition, least recently used first out. What it holds is
// what Redis holds under the current fence; on any doubt it is dropped whole.
type cache struct {
	limit, used int // bytes
	bykey       map[string]*cached
	ring        cached // its next is the most recent entry, its prev the least recent one
}

type cached struct {
	suffix     string
	state      []byte // empty: nobody has seen the entity
	prev, next *cached
}

// newCache returns a cache of so many bytes.
func newCache(limit int) *cache {
	c := &cache{limit: limit}
	c.clear()
	return c
}

// get returns the state under a suffix, which must not be changed and is valid until the next put; ok is false when it
// is not cached.
func (c *cache) get(suffix string) (state []byte, ok bool) {
	e, ok := c.bykey[suffix]
	if !ok {
		return nil, false
	}
	c.unlink(e)
	c.link(e)
	return e.state, true
}

// put keeps a copy of a state.
func (c *cache) put(suffix string, state []byte) {
	e, ok := c.bykey[suffix]
	if !ok {
		e = &cached{suffix: suffix}
		c.bykey[suffix] = e
		c.link(e)
		c.used += len(suffix) + entryBytes
	}
	c.used -= cap(e.state)
	if cap(e.state) < len(state) {
		e.state = make([]byte, 0, len(state)+len(state)/8) // states grow from batch to batch
	}
	e.state = append(e.state[:0], state...)
	c.used += cap(e.state)
}

// shrink removes what is beyond the limit.
func (c *cache) shrink() {
	for c.used > c.limit && len(c.bykey) > 0 {
		e := c.ring.prev
		c.unlink(e)
		delete(c.bykey, e.suffix)
		c.used -= len(e.suffix) + entryBytes + cap(e.state)
	}
}

func (c *cache) clear() {
	c.used, c.bykey = 0, map[string]*cached{}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
}

func (c *cache) link(e *cached) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}

func (c *cache) unlink(e *cached) { e.prev.next, e.next.prev = e.next, e.prev }
