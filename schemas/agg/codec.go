package agg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"
)

// maxText is the longest text that an event may carry (event.MaxTextBytes).
const maxText = 1024

// errShort says that an encoding ends before it is whole.
var errShort = errors.New("encoding ends early")

// Encoder writes partials. Texts are written once into a table and named by their number, since the
// same items, types and categories recur in a state.
type Encoder struct {
	Buf   []byte
	texts texts
	old   table // that is continued
	table []byte
}

// Reset empties the encoder and keeps its memory.
func (e *Encoder) Reset() {
	e.Buf = e.Buf[:0]
	e.texts.reset(nil)
}

// Continue is Reset for an encoding that goes on from one whose table of texts d has read, with a Copier. Neither the
// encoding nor the texts may change before the new table is written.
func (e *Encoder) Continue(d *Decoder) {
	e.Buf, e.old = e.Buf[:0], d.table
	e.texts.reset(d.Texts)
}

// Extend is Continue for an encoding in which the texts of the table keep their numbers, so that what names them can be
// copied as it is: they stay in the table, and new texts follow them.
func (e *Encoder) Extend(d *Decoder) {
	e.Continue(d)
	e.texts.keep = true
}

// Texts returns how many texts the table has.
func (e *Encoder) Texts() int {
	if e.texts.keep {
		return len(e.texts.known)
	}
	return len(e.texts.named)
}

// Uint writes an unsigned number.
func (e *Encoder) Uint(n uint64) { e.Buf = binary.AppendUvarint(e.Buf, n) }

// Int writes a signed number.
func (e *Encoder) Int(n int64) { e.Buf = binary.AppendVarint(e.Buf, n) }

// Bits writes 64 bits.
func (e *Encoder) Bits(n uint64) { e.Buf = binary.LittleEndian.AppendUint64(e.Buf, n) }

// Number returns the number of a text, which the table has from now on.
func (e *Encoder) Number(s string) uint64 { return e.texts.number(s) }

// Text writes the number of a text.
func (e *Encoder) Text(s string) { e.Uint(e.texts.number(s)) }

// AppendTable adds the table of texts to dst: their number, the length of what follows, and each text as how
// many bytes it shares with the start of the one before it, and the rest. Ids of one kind begin alike, so
// that is what makes a state small. Both numbers share a byte while they are below 15.
func (e *Encoder) AppendTable(dst []byte) []byte {
	t := &e.texts
	dst = binary.AppendUvarint(dst, uint64(e.Texts()))
	if t.keep {
		return e.appendExtended(dst)
	}
	e.table = e.table[:0]
	prev := ""
	for i := 0; i < len(t.named); i++ {
		at := t.named[i]
		e.table = appendEntry(e.table, prev, t.known[at])
		from := i
		for i+1 < len(t.named) && t.named[i+1] == t.named[i]+1 && int(t.named[i+1]) < t.old {
			i++
		}
		if i > from { // what follows the same text as in the old table has the same entry
			e.table = append(e.table, e.old.entries[e.old.ends[at]:e.old.ends[t.named[i]]]...)
		}
		prev = t.known[t.named[i]]
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.table)))
	return append(dst, e.table...)
}

// appendExtended adds the old entries and those of the new texts.
func (e *Encoder) appendExtended(dst []byte) []byte {
	t, prev := &e.texts, ""
	if e.table = e.table[:0]; t.old > 0 {
		prev = t.known[t.old-1]
	}
	for _, s := range t.known[t.old:] {
		e.table = appendEntry(e.table, prev, s)
		prev = s
	}
	var old []byte
	if t.old > 0 {
		old = e.old.entries
	}
	dst = binary.AppendUvarint(dst, uint64(len(old)+len(e.table)))
	return append(append(dst, old...), e.table...)
}

// Decoder reads what Encoder wrote. Its error is sticky: after one every read returns zeros.
type Decoder struct {
	B     []byte
	Texts []string
	Err   error

	// Last says that nothing that matters follows the next partial, so that Fold may leave the rest of it unread
	// when that cannot change the answer.
	Last bool

	table table
}

// Fail sets the error, unless there is one, and ends the input.
func (d *Decoder) Fail(err error) {
	if d.Err == nil {
		d.Err = err
	}
	d.B = nil
}

// Uint reads an unsigned number.
func (d *Decoder) Uint() uint64 {
	b := d.B
	if len(b) > 0 && b[0] < 0x80 { // as most
		d.B = b[1:]
		return uint64(b[0])
	}
	if len(b) >= 8 {
		if n, size := inWord(binary.LittleEndian.Uint64(b)); size > 0 {
			d.B = b[size:]
			return n
		}
	}
	n, used := binary.Uvarint(b)
	if used <= 0 {
		d.Fail(errShort)
		return 0
	}
	d.B = b[used:]
	return n
}

// skipUints passes over n unsigned numbers, eight bytes at a time: each ends with a byte without the top bit. How long a
// number may be is not looked at.
func (d *Decoder) skipUints(n int) {
	b := d.B
	for n >= 8 && len(b) >= 8 {
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(b) & 0x8080808080808080)
		b = b[8:]
	}
	for i := 0; n > 0; i++ {
		if i == len(b) {
			d.Fail(errShort)
			return
		}
		if b[i] < 0x80 {
			if n--; n == 0 {
				b = b[i+1:]
			}
		}
	}
	d.B = b
}

// inWord reads a number that begins eight bytes and says how long it is, 0 when it does not end in them. Its last byte
// is the first one without the top bit; the groups of seven bits move together in three steps.
func inWord(w uint64) (n uint64, size int) {
	ends := ^w & 0x8080808080808080
	if ends == 0 {
		return 0, 0
	}
	w &= ends ^ (ends - 1)
	w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
	w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
	return w&0x000000000fffffff | w&0x0fffffff00000000>>4, bits.TrailingZeros64(ends)/8 + 1
}

// Next reads an unsigned number from the front of b. Nil instead of the rest says that there is none. Loops over
// many numbers use it, since what is kept in registers costs less than what lies in a Decoder.
func Next(b []byte) (n uint64, rest []byte) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:]
	}
	if len(b) >= 8 {
		if n, size := inWord(binary.LittleEndian.Uint64(b)); size > 0 {
			return n, b[size:]
		}
	}
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return 0, nil
	}
	return n, b[used:]
}

// nextOperand is Next for a signed number or the bits of a float.
func nextOperand(b []byte, float bool) (a int64, rest []byte) {
	if !float {
		n, rest := Next(b)
		return signed(n), rest
	}
	if len(b) < 8 {
		return 0, nil
	}
	return int64(binary.LittleEndian.Uint64(b)), b[8:]
}

// step moves to the tile behind t, of which left are left to read, in a loop of FoldRun.
func step(b []byte, t int64, left int) (int64, []byte) {
	if left == 0 || b == nil {
		return t, b
	}
	n, rest := Next(b)
	return t - int64(n), rest
}

// end ends a loop that read b with Next.
func (d *Decoder) end(b []byte) {
	if d.B = b; b == nil {
		d.Fail(errShort)
	}
}

// Int reads a signed number.
func (d *Decoder) Int() int64 {
	return signed(d.Uint())
}

// signed returns the signed number that an unsigned one stands for.
func signed(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// Count reads a number of entries, none of which is shorter than a byte.
func (d *Decoder) Count() int {
	n := d.Uint()
	if n > uint64(len(d.B)) {
		d.Fail(errShort)
		return 0
	}
	return int(n)
}

// Bits reads 64 bits.
func (d *Decoder) Bits() uint64 {
	if len(d.B) < 8 {
		d.Fail(errShort)
		return 0
	}
	n := binary.LittleEndian.Uint64(d.B)
	d.B = d.B[8:]
	return n
}

// Bytes reads n bytes. They are the input's.
func (d *Decoder) Bytes(n int) []byte {
	if n < 0 || n > len(d.B) {
		d.Fail(errShort)
		return nil
	}
	b := d.B[:n]
	d.B = d.B[n:]
	return b
}

// TextNumber reads the number of a text, which is one of the table's.
func (d *Decoder) TextNumber() int {
	n := d.Uint()
	if n >= uint64(len(d.Texts)) {
		if d.Err == nil {
			d.Fail(fmt.Errorf("text %d of a table of %d", n, len(d.Texts)))
		}
		return -1
	}
	return int(n)
}

// Text reads a text.
func (d *Decoder) Text() string {
	if n := d.TextNumber(); n >= 0 {
		return d.Texts[n]
	}
	return ""
}

// Table reads a table of texts into d.Texts, reusing its memory. The texts lie in arena, which is returned
// with them added; they are valid as long as nobody changes what arena holds now.
func (d *Decoder) Table(arena []byte) []byte {
	n, entries := d.Count(), d.Bytes(d.Count())
	part := Decoder{B: entries, Err: d.Err}
	texts, ends := slices.Grow(d.Texts[:0], n)[:n], slices.Grow(d.table.ends[:0], n)[:n]
	most := len(arena) + 64*len(part.B) + 64<<10 // or a damaged table could stand for far more than it is
	start, end := len(arena), len(arena)         // of the text before
	for i := range n {
		before := end - start
		if cap(arena)-end < 2*chunk {
			arena = slices.Grow(arena[:end], len(part.B)+chunk*chunk)
		}
		if b := part.B; len(b) > chunk && b[0] < 15<<4 && b[0]&15 < 15 && int(b[0]>>4) <= before { // both parts fit into a chunk
			arena = arena[:end+2*chunk]
			shared, rest := int(b[0]>>4), int(b[0]&15)
			*(*[chunk]byte)(arena[end:]) = [chunk]byte(arena[start:])
			*(*[chunk]byte)(arena[end+shared:]) = [chunk]byte(b[1:])
			start, end = end, end+shared+rest
			part.B = b[1+rest:]
		} else {
			shared, tail := part.entry(before)
			arena = append(append(arena[:end], arena[start:start+shared]...), tail...)
			start, end = end, len(arena)
		}
		if end > most {
			part.Fail(fmt.Errorf("texts of more than %d bytes", most))
		}
		if part.Err != nil {
			break
		}
		texts[i] = unsafe.String(unsafe.SliceData(arena[start:]), end-start)
		ends[i] = uint32(len(entries) - len(part.B))
	}
	if part.Err == nil && len(part.B) > 0 {
		part.Fail(fmt.Errorf("%d bytes follow the texts", len(part.B)))
	}
	if part.Err != nil {
		d.Fail(part.Err)
		texts = texts[:0]
	}
	d.Texts, d.table = texts, table{entries, ends}
	return arena[:end]
}

// chunk is how many bytes of a text are copied at once, whether they belong to it or not: most texts are short.
const chunk = 16

// entry reads the next text of a table: how much it shares with the one before it, and the rest.
func (d *Decoder) entry(before int) (shared int, tail []byte) {
	head := d.byte()
	shared, rest := int(head>>4), int(head&15)
	if shared == 15 {
		shared += d.Count()
	}
	if rest == 15 {
		rest += d.Count()
	}
	if shared > before || shared+rest > maxText {
		d.Fail(fmt.Errorf("a text of %d bytes shares %d with one of %d; at most %d are possible", shared+rest, shared, before, maxText))
		return 0, nil
	}
	return shared, d.Bytes(rest)
}

// SkipTable passes over a table of texts.
func (d *Decoder) SkipTable() {
	d.Count()
	d.Bytes(d.Count())
}

func (d *Decoder) byte() byte {
	if len(d.B) == 0 {
		d.Fail(errShort)
		return 0
	}
	c := d.B[0]
	d.B = d.B[1:]
	return c
}
