package sorted

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Options of a Writer. The zero value is what the project's tables use.
type Options struct {
	// SegmentBytes is the size at which a segment ends; 0 means DefaultSegmentBytes. A reader keeps one key
	// for each segment in memory and Seek scans up to one segment.
	SegmentBytes int
}

// Info says what a Writer wrote.
type Info struct {
	Rows   int64
	Bytes  int64
	SHA256 string // of the whole file, hexadecimal
}

// Writer writes one table. It holds a segment and one key for each segment before it in memory.
// It is for one goroutine.
type Writer struct {
	out  io.Writer
	sum  hash.Hash
	size int // of a segment
	err  error

	written  int64 // bytes
	rows     int64
	segments int64
	index    []byte

	// The segment that is being filled.
	data   []byte
	hashes []uint64
	places []uint32
	first  []byte
	last   []byte // key, across segments
}

// NewWriter returns a Writer that writes to w, in pieces of about a segment. The caller closes w.
func NewWriter(w io.Writer, o Options) *Writer {
	t := &Writer{out: w, sum: sha256.New(), size: o.SegmentBytes}
	if t.size == 0 {
		t.size = DefaultSegmentBytes
	}
	if t.size < 1 || t.size > maxSegmentBytes {
		t.err = fmt.Errorf("write sorted table: SegmentBytes is %d, accepted are 1 to %d", o.SegmentBytes, maxSegmentBytes)
		return t
	}
	t.write(append([]byte(tableMagic), make([]byte, headerSize-len(tableMagic))...))
	return t
}

// Add appends a row. Its key has to come after the last one in byte order. Both slices may be reused
// after the call. An error is final: every later call returns it too.
func (w *Writer) Add(key, value []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.err = checkRow(key, value); w.err != nil {
		return w.err
	}
	if w.rows > 0 && bytes.Compare(w.last, key) >= 0 {
		w.err = fmt.Errorf("write sorted table: the key of row %d does not come after that of the row before it", w.rows)
		return w.err
	}
	if len(w.data) == 0 {
		w.first = append(w.first[:0], key...)
	}
	w.last = append(w.last[:0], key...)
	w.hashes = append(w.hashes, hashKey(key))
	w.places = append(w.places, uint32(len(w.data)))
	w.data = appendRow(w.data, w.written+int64(len(w.data)), key, value)
	w.rows++
	if len(w.data) >= w.size {
		w.flush()
	}
	return w.err
}

func checkRow(key, value []byte) error {
	if len(key) > MaxKey {
		return fmt.Errorf("write sorted rows: a key has %d bytes, at most %d are accepted", len(key), MaxKey)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("write sorted rows: a value has %d bytes, at most %d are accepted", len(value), MaxValue)
	}
	return nil
}

// flush writes the segment, if there is one.
func (w *Writer) flush() {
	if len(w.hashes) == 0 {
		return
	}
	s := segment{
		offset: w.written, data: int64(len(w.data)), first: w.first,
		rows: int64(len(w.hashes)), lines: int64(linesFor(len(w.hashes))),
	}
	w.index = appendSegment(w.index, s)
	w.segments++
	dir := s.directory()
	w.data = append(w.data, make([]byte, dir-s.offset-s.data)...)
	w.write(appendDirectory(w.data, dir, w.hashes, w.places))
	w.data, w.hashes, w.places = w.data[:0], w.hashes[:0], w.places[:0]
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("write sorted table: %w", err)
		return
	}
	w.sum.Write(b)
	w.written += int64(len(b))
}

// Close writes what is left, and ends the table. Without it there is no valid table. A table may have
// no row.
func (w *Writer) Close() (Info, error) {
	w.flush()
	f := footer{
		index: w.written, indexBytes: int64(len(w.index)), segments: w.segments,
		rows: w.rows, indexCRC: checksum(w.written, w.index),
	}
	w.write(w.index)
	w.write(f.encode(w.written))
	if w.err != nil {
		return Info{}, w.err
	}
	w.err = errors.New("write sorted table: it is closed")
	return Info{Rows: w.rows, Bytes: w.written, SHA256: hex.EncodeToString(w.sum.Sum(nil))}, nil
}
