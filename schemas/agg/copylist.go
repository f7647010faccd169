package agg

import (
	"encoding/binary"
	"math/bits"
)

// Joins reports whether Copier.Join can add events to encoded partials of a monoid: which were added first, or
// together, makes no difference to its bytes.
func Joins(m Monoid) bool {
	_, list := m.(lastN)
	return list
}

// Join writes the partial that the decoder is at together with the events of p, which is of the same tile and of a
// monoid that Joins. Lists mostly grow at their latest end: what was there then follows as it is, as far as there is
// room. It may change p and does not leave the decoder behind the partial.
func (c *Copier) Join(m Monoid, p *Partial) {
	partial := c.d.B
	if x, ok := m.(lastN); ok && c.joinLists(x, grow[latest](p).last(x.n)) || c.d.Err != nil {
		return
	}
	c.d.B = partial
	m.Fold(p, c.d, 1)
	m.Append(c.e, p)
}

// joinLists writes entries and those that the decoder is at. It reports false, and writes nothing, where some of those
// are not before all of the entries.
func (c *Copier) joinLists(x lastN, newer []entry) bool {
	n := x.length(c.d)
	last := entry{time: -c.d.Int(), seq: -c.d.Int()}
	if n == 0 || len(newer) == 0 || c.d.Err != nil || !last.before(&newer[0]) {
		return false
	}
	n = min(n, x.n-len(newer))
	c.e.Uint(uint64(len(newer) + n))
	x.appendEntries(c.e, newer, entry{})
	if n > 0 {
		c.e.Int(newer[0].time - last.time)
		c.e.Int(newer[0].seq - last.seq)
		c.payload(x)
		c.entries(x, n-1)
	}
	return true
}

// entries copies entries of last_n. There are a hundred in many views, so that plain ones, which are most, are copied
// apart.
func (c *Copier) entries(x lastN, n int) {
	for n > 0 {
		if x.interaction {
			if n = c.plainInteractions(n); n == 0 {
				return
			}
		}
		c.varint()
		c.varint()
		c.payload(x)
		n--
	}
}

// plainInteractions copies interactions without a value whose time and position take eight bytes together, and whose texts
// have numbers of two at most, up to n and up to the first one that is another. It returns how many are left.
func (c *Copier) plainInteractions(n int) (left int) {
	b, out, t := c.d.B, c.e.Buf, &c.e.texts
	for ; n > 0 && len(b) >= 16; n-- {
		w := binary.LittleEndian.Uint64(b)
		ends := ^w & 0x8080808080808080
		ends &= ends - 1 // the end of the position
		if ends == 0 {
			break
		}
		head := bits.TrailingZeros64(ends)/8 + 1
		item, size := short(binary.LittleEndian.Uint16(b[head:]))
		kind, more := short(binary.LittleEndian.Uint16(b[head+size:]))
		if max(size, more) > 2 || kind&1 != 0 || max(item, kind>>1) >= uint32(t.old) {
			break
		}
		b = b[head+size+more:]
		out = binary.LittleEndian.AppendUint64(out, w)[:len(out)+head]
		out = appendUint(out, t.name(item)) // texts are numbered in the order in which they are named
		out = appendUint(out, t.name(kind>>1)<<1)
	}
	c.d.B, c.e.Buf = b, out
	return n
}

// short reads a number of one or two bytes from two; a longer one has size 3. It is inlined, which Next is not: that took
// 3 % off a view of a year.
func short(w uint16) (n uint32, size int) {
	switch {
	case w&0x80 == 0:
		return uint32(w & 0x7f), 1
	case w&0x8000 == 0:
		return uint32(w&0x7f | w>>1&0x3f80), 2
	}
	return 0, 3
}

// appendUint is binary.AppendUvarint, inlined where the number is small.
func appendUint(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, n)
}

// payload copies what an entry says.
func (c *Copier) payload(x lastN) {
	switch {
	case x.interaction:
		c.Text()
		kind := c.d.Uint()
		c.e.Uint(c.number(kind>>1)<<1 | kind&1)
		if kind&1 != 0 {
			c.e.Bits(c.d.Bits())
		}
	case x.text():
		c.Text()
	case x.float():
		c.e.Bits(c.d.Bits())
	default:
		c.varint()
	}
}

// varint copies a varint without looking at what it says.
func (c *Copier) varint() {
	b, out := c.d.B, c.e.Buf
	for i, x := range b {
		if out = append(out, x); x < 0x80 {
			c.d.B, c.e.Buf = b[i+1:], out
			return
		}
	}
	c.d.Fail(errShort)
}

// MostText passes over an encoded partial and returns the greatest number of a text that it names, or most if that is
// greater.
func MostText(m Monoid, d *Decoder, most uint64) uint64 {
	switch m := m.(type) {
	case topK:
		n, _ := m.length(d)
		for range n {
			most = max(most, d.Uint())
			d.Uint()
		}
		return most
	case edge:
		if m.text() {
			d.Uint()
			d.Uint()
			return max(most, d.Uint())
		}
	case lastN:
		if m.interaction || m.text() {
			for range m.length(d) {
				most = m.mostText(d, most)
			}
			return most
		}
	}
	m.Skip(d)
	return most
}

func (x lastN) mostText(d *Decoder, most uint64) uint64 {
	d.Uint()
	d.Uint()
	if most = max(most, d.Uint()); !x.interaction {
		return most
	}
	kind := d.Uint()
	d.Bytes(8 * int(kind&1))
	return max(most, kind>>1)
}
