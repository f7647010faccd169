package sorted

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// RunReader reads a run. It is for one goroutine.
type RunReader struct {
	in         io.Reader
	name       string
	started    bool
	done       bool
	frames     int64
	frame      []byte // rows of the current frame, reused
	rest       []byte // of frame, not read yet
	key, value []byte
	err        error
}

// NewRunReader returns a RunReader of in; name stands for it in errors. It reads about 32 KiB at a time.
func NewRunReader(in io.Reader, name string) *RunReader {
	return &RunReader{in: in, name: name}
}

// Next reads the next row and says whether there was one. After false, Err says why.
func (r *RunReader) Next() bool {
	if r.err != nil || r.done {
		return false
	}
	if len(r.rest) == 0 {
		if r.err = r.readFrame(); r.err != nil || r.done {
			return false
		}
	}
	key, value, n := cutPair(r.rest)
	if n == 0 {
		r.err = damaged(r.name, "frame %d does not hold whole rows", r.frames-1)
		return false
	}
	r.key, r.value, r.rest = key, value, r.rest[n:]
	return true
}

func (r *RunReader) readFrame() error {
	if err := r.start(); err != nil {
		return err
	}
	var head [frameHead]byte
	if err := r.read(head[:]); err != nil {
		return err
	}
	size := order.Uint32(head[:])
	if checksum(r.frames, head[:8]) != order.Uint32(head[8:]) || size > maxFrame {
		return damaged(r.name, "the head of frame %d is wrong", r.frames)
	}
	r.frame = slices.Grow(r.frame[:0], int(size))[:size]
	if err := r.read(r.frame); err != nil {
		return err
	}
	if checksum(r.frames, r.frame) != order.Uint32(head[4:]) {
		return damaged(r.name, "the checksum of frame %d is wrong", r.frames)
	}
	r.frames++
	r.rest = r.frame
	if size == 0 {
		return r.finish()
	}
	return nil
}

// start reads the magic before the first frame.
func (r *RunReader) start() error {
	if r.started {
		return nil
	}
	r.started = true
	var magic [len(runMagic)]byte
	if err := r.read(magic[:]); err != nil {
		return err
	}
	if string(magic[:]) != runMagic {
		return damaged(r.name, "it does not begin as a run of this version does")
	}
	return nil
}

// finish proves that nothing follows the last frame.
func (r *RunReader) finish() error {
	r.done = true
	var one [1]byte
	switch _, err := io.ReadFull(r.in, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("read run %s: %w", r.name, err)
	}
	return damaged(r.name, "bytes follow its last frame")
}

func (r *RunReader) read(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(r.name, "it ends within frame %d", r.frames)
	}
	if err != nil {
		return fmt.Errorf("read run %s: %w", r.name, err)
	}
	return nil
}

// Key returns the key of the row that Next read, valid until the next Next.
func (r *RunReader) Key() []byte { return r.key }

// Value returns the value of the row that Next read, valid until the next Next.
func (r *RunReader) Value() []byte { return r.value }

// Err returns what ended the reading, nil if that was the last row.
func (r *RunReader) Err() error { return r.err }
