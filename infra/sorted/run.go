package sorted

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	runMagic = "anarun\x00\x01" // the last byte is the version
	// frameBytes is the size at which a frame ends. Merging n runs needs n frames of memory.
	frameBytes = 32 << 10
	// maxFrame is what a frame can reach: it ends with the row that fills it.
	maxFrame = frameBytes + MaxKey + MaxValue + 16
	// frameHead is the length of a frame's rows, their checksum, and the checksum of both, which
	// protects a reader from allocating for a damaged length.
	frameHead = 3 * 4
)

// RunWriter writes a run: rows in key order, spilled to be merged later. A key may come more than
// once. It is for one goroutine.
type RunWriter struct {
	out    io.Writer
	frame  []byte // head, then rows
	frames int64
	rows   int64
	last   []byte
	err    error
}

// NewRunWriter returns a RunWriter that writes to w, in pieces of about 32 KiB. The caller closes w.
func NewRunWriter(w io.Writer) *RunWriter {
	r := &RunWriter{out: w, frame: make([]byte, frameHead, frameBytes)}
	r.write([]byte(runMagic))
	return r
}

// Add appends a row. Its key must not come before the last one. Both slices may be reused after the
// call. An error is final: every later call returns it too.
func (w *RunWriter) Add(key, value []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.err = checkRow(key, value); w.err != nil {
		return w.err
	}
	if bytes.Compare(w.last, key) > 0 {
		w.err = fmt.Errorf("write run: the key of row %d comes before that of the row before it", w.rows)
		return w.err
	}
	w.last = append(w.last[:0], key...)
	w.frame = appendPair(w.frame, key, value)
	w.rows++
	if len(w.frame) >= frameBytes {
		w.flush()
	}
	return w.err
}

// flush writes the frame. A frame without rows ends the run.
func (w *RunWriter) flush() {
	putFrameHead(w.frame, w.frames)
	w.write(w.frame)
	w.frames++
	w.frame = w.frame[:frameHead]
}

func putFrameHead(frame []byte, number int64) {
	rows := frame[frameHead:]
	order.PutUint32(frame, uint32(len(rows)))
	order.PutUint32(frame[4:], checksum(number, rows))
	order.PutUint32(frame[8:], checksum(number, frame[:8]))
}

func (w *RunWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, err := w.out.Write(b); err != nil {
		w.err = fmt.Errorf("write run: %w", err)
	}
}

// Rows returns the number of rows added.
func (w *RunWriter) Rows() int64 { return w.rows }

// Close writes what is left, and ends the run. Without it there is no valid run.
func (w *RunWriter) Close() error {
	if len(w.frame) > frameHead {
		w.flush()
	}
	w.flush()
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("write run: it is closed")
	return nil
}
