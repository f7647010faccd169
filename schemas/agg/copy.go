package agg

import "fmt"

// Copier copies encoded partials from one encoding to another without making partials of them. Only the numbers of
// texts change, since every encoding has a table of its own.
type Copier struct {
	e       *Encoder
	d       *Decoder
	numbers []uint64 // by number in the old table: 1 + that in the new one; 0 is not known yet
}

// Begin prepares for copying from d, whose table of texts is read, to e.
func (c *Copier) Begin(e *Encoder, d *Decoder) {
	c.e, c.d = e, d
	if cap(c.numbers) < len(d.Texts) {
		c.numbers = make([]uint64, 2*len(d.Texts))
	}
	c.numbers = c.numbers[:len(d.Texts)]
	clear(c.numbers)
}

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

// Text copies a text and reports which number it has now.
func (c *Copier) Text() { c.e.Uint(c.number(c.d.Uint())) }

// number returns the new number of a text.
func (c *Copier) number(old uint64) uint64 {
	if old >= uint64(len(c.numbers)) {
		c.d.Fail(fmt.Errorf("text %d of a table of %d", old, len(c.numbers)))
		return 0
	}
	if c.numbers[old] == 0 {
		c.numbers[old] = 1 + c.e.number(c.d.Texts[old])
	}
	return c.numbers[old] - 1
}

// Partial copies a partial of the monoid.
func (c *Copier) Partial(m Monoid) {
	switch m := m.(type) {
	case topK:
		c.topK(m)
		return
	case lastN:
		if m.interaction || m.text() {
			c.lastN(m)
			return
		}
	case edge:
		if m.text() {
			c.numberAsIs()
			c.numberAsIs()
			c.Text()
			return
		}
	}
	c.skipped(m.Skip)
}

// numberAsIs copies a number.
func (c *Copier) numberAsIs() { c.skipped(func(d *Decoder) { d.Uint() }) }

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
	c.e.Uint(head)
	for range n {
		c.Text()
		c.e.Uint(c.d.Uint())
	}
}

func (c *Copier) lastN(m lastN) {
	n := m.length(c.d)
	c.e.Uint(uint64(n))
	for range n {
		c.e.Uint(c.d.Uint())
		c.e.Uint(c.d.Uint())
		c.Text()
		if !m.interaction {
			continue
		}
		kind := c.d.Uint()
		c.e.Uint(c.number(kind>>1)<<1 | kind&1)
		if kind&1 != 0 {
			c.e.Bits(c.d.Bits())
		}
	}
}
