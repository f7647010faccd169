package agg

import "fmt"

// Copier copies encoded partials from one encoding to another without making partials of them. Only the numbers of
// texts change, since every encoding has a table of its own.
type Copier struct {
	e *Encoder
	d *Decoder
}

// Begin prepares for copying from d to e, which continues d's table of texts.
func (c *Copier) Begin(e *Encoder, d *Decoder) { c.e, c.d = e, d }

// HoldsTexts reports whether encoded partials of a monoid name texts. Those of all others can be copied as they
// are.
func HoldsTexts(m Monoid) bool {
	switch m := m.(type) {
	case topK:
		return true
	case lastN:
		return m.interaction || m.text()
	case edge:
		return m.text()
	}
	return false
}

// Varints returns how many varints, and nothing else, an encoded partial of a monoid consists of; 0 where that is
// different from partial to partial.
func Varints(m Monoid) int {
	switch m := m.(type) {
	case count:
		return 1
	case ratio:
		return 2
	case extreme:
		if !m.float() {
			return 1
		}
	case histogram:
		return len(m.bounds) + 1
	}
	return 0
}

// Bytes returns how many bytes an encoded partial of a monoid has; 0 where that is different from partial to partial.
func Bytes(m Monoid) int {
	switch m := m.(type) {
	case decayed:
		return 8
	case extreme:
		if m.float() {
			return 8
		}
	}
	return 0
}

// Text copies a text.
func (c *Copier) Text() { c.e.Uint(c.number(c.d.Uint())) }

// number returns the new number of a text.
func (c *Copier) number(old uint64) uint64 {
	if old >= uint64(c.e.texts.old) {
		c.d.Fail(fmt.Errorf("text %d of a table of %d", old, c.e.texts.old))
		return 0
	}
	return c.e.texts.name(uint32(old))
}

// Partial copies a partial of the monoid.
func (c *Copier) Partial(m Monoid) {
	switch m := m.(type) {
	case topK:
		c.topK(m)
		return
	case lastN:
		if m.interaction || m.text() {
			n := m.length(c.d)
			c.e.Uint(uint64(n))
			c.entries(m, n)
			return
		}
	case edge:
		if m.text() {
			c.skipped(func(d *Decoder) { d.Uint(); d.Uint() })
			c.Text()
			return
		}
	}
	c.skipped(m.Skip)
}

// Keyed copies the number of keys of a tile, and each with its partial.
func (c *Copier) Keyed(m Monoid, keys int) {
	c.e.Uint(uint64(keys))
	if _, ok := m.(decayed); ok {
		c.keyedFloats(keys)
		return
	}
	for range keys {
		c.Text()
		c.Partial(m)
	}
}

// keyedFloats is the loop of Keyed for eight bytes a key, of which there are hundreds in a state: the affinities of a user.
func (c *Copier) keyedFloats(keys int) {
	b, out, t := c.d.B, c.e.Buf, &c.e.texts
	for range keys {
		key, rest := Next(b)
		if len(rest) < 8 || key >= uint64(t.old) {
			c.d.Fail(fmt.Errorf("a key is text %d of a table of %d, or its value is missing", key, t.old))
			return
		}
		out = append(appendUint(out, t.name(uint32(key))), rest[:8]...)
		b = rest[8:]
	}
	c.d.B, c.e.Buf = b, out
}

// skipped copies what skip passes over.
func (c *Copier) skipped(skip func(d *Decoder)) {
	before := c.d.B
	skip(c.d)
	c.e.Buf = append(c.e.Buf, before[:len(before)-len(c.d.B)]...)
}

func (c *Copier) topK(m topK) {
	n, capped := m.length(c.d)
	head := uint64(n) << 1
	if capped {
		head |= 1
	}
	b, out, t := c.d.B, appendUint(c.e.Buf, head), &c.e.texts
	for range n {
		var key, count uint64
		key, b = Next(b)
		if count, b = Next(b); b == nil || key >= uint64(t.old) {
			c.d.Fail(fmt.Errorf("top_k: a key is text %d of a table of %d, or missing", key, t.old))
			return
		}
		out = appendUint(appendUint(out, t.name(uint32(key))), count)
	}
	c.d.B, c.e.Buf = b, out
}
