// Package column holds the plain columnar types that rawparquet's Scanner yields and that batch
// kernels read: texts in one piece of memory, numbers in slices. It depends on nothing and does no
// I/O. Nothing here is safe for use by several goroutines while one of them changes it.
package column

import (
	"encoding/binary"
	"errors"
	"math"
)

// prefix is the length that precedes every text, as in Parquet's PLAIN encoding, so that a page is
// taken over by one copy.
const prefix = 4

// Strings is a list of texts in one piece of memory, of at most 4 GiB. The zero value is empty.
type Strings struct {
	data []byte
	at   []uint32 // where a text starts in data, after its length
}

// ErrDamaged says that bytes are not what they are announced to be.
var ErrDamaged = errors.New("the texts of the page are damaged")

// Len returns the number of texts.
func (s *Strings) Len() int { return len(s.at) }

// Bytes returns the memory in use.
func (s *Strings) Bytes() int64 { return int64(cap(s.data)) + prefix*int64(cap(s.at)) }

// At returns text i. It is part of the list's memory: not to be changed, valid until the list changes.
func (s *Strings) At(i int) []byte {
	start := s.at[i]
	rest := s.data[start-prefix:]
	n := binary.LittleEndian.Uint32(rest)
	return rest[prefix : prefix+n : prefix+n]
}

// Reset empties the list and keeps its memory.
func (s *Strings) Reset() { s.data, s.at = s.data[:0], s.at[:0] }

// Add appends a text and reports false where the list has become too large for it.
func (s *Strings) Add(text []byte) bool {
	if len(s.data)+prefix+len(text) > math.MaxUint32 {
		return false
	}
	s.data = binary.LittleEndian.AppendUint32(s.data, uint32(len(text)))
	s.at = append(s.at, uint32(len(s.data)))
	s.data = append(s.data, text...)
	return true
}

// AddEmpty appends n empty texts.
func (s *Strings) AddEmpty(n int) {
	if n == 0 {
		return
	}
	s.data = append(s.data, 0, 0, 0, 0)
	for range n {
		s.at = append(s.at, uint32(len(s.data)))
	}
}

// AddPlain appends the texts of a page in Parquet's PLAIN encoding: n of them, or where valid is not nil
// one text for each row, which is empty where the row is not valid.
func (s *Strings) AddPlain(page []byte, n int, valid []bool) error {
	if len(s.data)+len(page)+prefix > math.MaxUint32 {
		return errors.New("the texts of a row group take more than 4 GiB")
	}
	empty := uint32(0)
	if valid != nil {
		s.data = append(s.data, 0, 0, 0, 0)
		empty, n = uint32(len(s.data)), len(valid)
	}
	base := uint32(len(s.data))
	s.data = append(s.data, page...)
	pos := 0
	for i := range n {
		if valid != nil && !valid[i] {
			s.at = append(s.at, empty)
			continue
		}
		if len(page)-pos < prefix {
			return ErrDamaged
		}
		size := int(binary.LittleEndian.Uint32(page[pos:]))
		pos += prefix
		if size > len(page)-pos {
			return ErrDamaged
		}
		s.at = append(s.at, base+uint32(pos))
		pos += size
	}
	if pos != len(page) {
		return ErrDamaged
	}
	return nil
}

// Text is a column of texts. Where the file held it as numbers of a dictionary it still is: then IDs
// has an entry for each row, the number of its text in Values, or -1 for null, and Values may hold a
// text more than once. Otherwise IDs is nil and Values has an entry for each row, empty for null.
type Text struct {
	IDs    []int32
	Values Strings
	Valid  []bool // nil: no row is null
}

// At returns the text of row i, empty for null. See Strings.At for how long it is valid.
func (t *Text) At(i int) []byte {
	if t.IDs == nil {
		return t.Values.At(i)
	}
	if id := t.IDs[i]; id >= 0 {
		return t.Values.At(int(id))
	}
	return nil
}

// Null reports whether row i is null.
func (t *Text) Null(i int) bool { return t.Valid != nil && !t.Valid[i] }

// Ints is a column of integers; 32-bit ones are widened, times are Unix milliseconds.
type Ints struct {
	Values []int64 // 0 for null
	Valid  []bool  // nil: no row is null
}

// Null reports whether row i is null.
func (c *Ints) Null(i int) bool { return c.Valid != nil && !c.Valid[i] }

// Floats is a column of numbers.
type Floats struct {
	Values []float64 // 0 for null
	Valid  []bool    // nil: no row is null
}

// Null reports whether row i is null.
func (c *Floats) Null(i int) bool { return c.Valid != nil && !c.Valid[i] }
