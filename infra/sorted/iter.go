package sorted

import (
	"bytes"
	"runtime/debug"
	"sort"
)

// Iter reads the rows of a table in key order:
//
//	for it := r.Iter(); it.Next(); {
//		… it.Key(), it.Value()
//	}
//	… it.Err()
//
// It is for one goroutine, but a Reader may have many. Keys and values are valid until the Reader is
// closed.
type Iter struct {
	r       *Reader
	segment int   // index of the segment that is being read
	offset  int64 // of the next row
	rows    int64 // read of the segment
	row     row
	ahead   bool // Seek has read the next row already
	err     error
}

// Iter returns an iterator before the first row.
func (r *Reader) Iter() *Iter {
	it := &Iter{r: r}
	it.enter(0)
	return it
}

func (it *Iter) enter(segment int) {
	it.segment, it.rows = segment, 0
	if segment < len(it.r.segments) {
		it.offset = it.r.segments[segment].offset
	}
}

// Seek moves the iterator so that Next reads the first row whose key is not before key. It reads up
// to one segment.
func (it *Iter) Seek(key []byte) {
	segments := it.r.segments
	after := sort.Search(len(segments), func(i int) bool { return bytes.Compare(segments[i].first, key) > 0 })
	it.ahead = false
	it.enter(max(after-1, 0))
	for it.Next() {
		if bytes.Compare(it.row.key, key) >= 0 {
			it.ahead = true
			return
		}
	}
}

// Next reads the next row and says whether there was one. After false, Err says why.
func (it *Iter) Next() bool {
	if it.ahead {
		it.ahead = false
		return true
	}
	if it.err != nil || it.segment >= len(it.r.segments) {
		return false
	}
	it.err = it.read()
	return it.err == nil
}

// read reads the row at offset, and goes to the next segment after the last row of one.
func (it *Iter) read() (err error) {
	defer it.r.guard(debug.SetPanicOnFault(true), &err)
	s := &it.r.segments[it.segment]
	if it.row, err = it.r.row(s, it.offset, verified); err != nil {
		return err
	}
	it.rows++
	it.offset = it.row.end
	if it.offset < s.offset+s.data {
		return nil
	}
	if it.rows != s.rows {
		return damaged(it.r.name, "the segment at byte %d holds %d rows, announced are %d", s.offset, it.rows, s.rows)
	}
	it.enter(it.segment + 1)
	return nil
}

// Key returns the key of the row that Next read.
func (it *Iter) Key() []byte { return it.row.key }

// Value returns the value of the row that Next read.
func (it *Iter) Value() []byte { return it.row.value }

// Err returns what ended the iteration, nil if that was the last row.
func (it *Iter) Err() error { return it.err }
