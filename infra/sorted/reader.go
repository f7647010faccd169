package sorted

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"sort"
)

// Reader reads a table. All methods but Close are safe for many goroutines.
type Reader struct {
	name     string
	data     []byte
	segments []segment
	rows     int64
	unmap    func() error
}

// Open maps the table in a local file into memory and verifies its index. The file must not be
// changed while it is open; replacing or removing it is harmless where files can be removed while open.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open sorted table: %w", err)
	}
	defer f.Close()
	data, unmap, err := mapFile(f)
	if err != nil {
		return nil, fmt.Errorf("open sorted table %s: %w", path, err)
	}
	r, err := OpenBytes(data, path)
	if err != nil {
		_ = unmap() // the table is refused anyway
		return nil, err
	}
	r.unmap = unmap
	return r, nil
}

// OpenBytes reads the table in data, which must not be changed afterwards; name stands for it
// in errors.
func OpenBytes(data []byte, name string) (r *Reader, err error) {
	r = &Reader{name: name, data: data, unmap: func() error { return nil }}
	defer r.guard(debug.SetPanicOnFault(true), &err)
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// load decodes and proves the index: afterwards every segment lies in the file, in order and without
// gaps, so that no access through it can leave the file.
func (r *Reader) load() error {
	if err := r.checkMagic(); err != nil {
		return err
	}
	at := int64(len(r.data)) - footerSize
	f, err := decodeFooter(r.data[at:], at)
	if err != nil {
		return damaged(r.name, "%v", err)
	}
	if f.index < headerSize || f.index > at || f.indexBytes != at-f.index {
		return damaged(r.name, "its index is said to have %d bytes at byte %d of %d", f.indexBytes, f.index, len(r.data))
	}
	// A copy, because it is verified only now.
	index := bytes.Clone(r.data[f.index:at])
	if checksum(f.index, index) != f.indexCRC {
		return damaged(r.name, "the checksum of its index is wrong")
	}
	return r.loadSegments(f, index)
}

func (r *Reader) checkMagic() error {
	kind := len(tableMagic) - 1 // the version follows
	if len(r.data) < headerSize+footerSize {
		return damaged(r.name, "%d bytes are too few for a sorted table", len(r.data))
	}
	if string(r.data[:kind]) != tableMagic[:kind] {
		return damaged(r.name, "it does not begin as a sorted table does")
	}
	if v := r.data[kind]; v != tableMagic[kind] {
		return fmt.Errorf("%s is a sorted table of version %d, this build reads version %d", r.name, v, tableMagic[kind])
	}
	return nil
}

func (r *Reader) loadSegments(f footer, index []byte) error {
	if f.segments < 0 || f.segments > f.indexBytes/segmentHead {
		return damaged(r.name, "%d segments in an index of %d bytes", f.segments, f.indexBytes)
	}
	// Each segment begins where the one before it ends, and the last ends where the index begins: so
	// none leaves the file.
	r.segments = make([]segment, 0, f.segments)
	end := int64(headerSize)
	for i := range f.segments {
		s, rest, ok := cutSegment(index)
		if !ok {
			return damaged(r.name, "its index ends in entry %d of %d", i, f.segments)
		}
		if s.offset != end || s.rows < 1 || s.lines != int64(linesFor(int(s.rows))) {
			return damaged(r.name, "its index is wrong about segment %d", i)
		}
		if i > 0 && bytes.Compare(r.segments[i-1].first, s.first) >= 0 {
			return damaged(r.name, "segment %d does not come after the one before it", i)
		}
		r.segments = append(r.segments, s)
		r.rows += s.rows
		end, index = s.end(), rest
	}
	if end != f.index || len(index) != 0 || r.rows != f.rows {
		return damaged(r.name, "its %d segments hold %d rows and end at byte %d, announced are %d rows and byte %d",
			f.segments, r.rows, end, f.rows, f.index)
	}
	return nil
}

// Rows returns the number of rows.
func (r *Reader) Rows() int64 { return r.rows }

// Bytes returns the size of the file.
func (r *Reader) Bytes() int64 { return int64(len(r.data)) }

// Get returns the value of key. It shares the table's memory: it is valid until Close and must not be
// changed. It does not allocate.
func (r *Reader) Get(key []byte) (value []byte, found bool, err error) {
	return r.get(key, verified)
}

// Peek is Get without a look at the checksum of the row: the value may be damaged. It is for who reads the whole table
// by Iter before using anything that was made of the value, so that the row is verified once and not twice.
func (r *Reader) Peek(key []byte) (value []byte, found bool, err error) {
	return r.get(key, unverified)
}

// trust says whether rows are verified while they are read.
type trust bool

const (
	verified   trust = false
	unverified trust = true
)

func (r *Reader) get(key []byte, t trust) (value []byte, found bool, err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	s := r.segmentOf(key)
	if s == nil {
		return nil, false, nil
	}
	value, found, _, err = r.find(s, key, t)
	return value, found, err
}

// segmentOf returns the only segment that can hold key: the last that begins at or before it.
func (r *Reader) segmentOf(key []byte) *segment {
	after := sort.Search(len(r.segments), func(i int) bool { return bytes.Compare(r.segments[i].first, key) > 0 })
	if after == 0 {
		return nil
	}
	return &r.segments[after-1]
}

// Close releases the table. There must be no other call under way or to come, and no value in use.
func (r *Reader) Close() error {
	r.data, r.segments = nil, nil
	if err := r.unmap(); err != nil {
		return fmt.Errorf("close sorted table %s: %w", r.name, err)
	}
	r.unmap = func() error { return nil }
	return nil
}
