package spill

import "io"

// Stream is a sequence of bytes in a scratch: written once, then read as often as wanted.
type Stream struct {
	scratch *Scratch
	pieces  []Piece
	size    int64
}

// NewStream returns an empty stream.
func (s *Scratch) NewStream() *Stream { return &Stream{scratch: s} }

// Write puts b aside as one piece; write in pieces of some size.
func (s *Stream) Write(b []byte) (int, error) {
	p, err := s.scratch.Put(b)
	if err != nil {
		return 0, err
	}
	if len(b) > 0 {
		s.pieces = append(s.pieces, p)
		s.size += int64(len(b))
	}
	return len(b), nil
}

// Bytes returns how many bytes were written.
func (s *Stream) Bytes() int64 { return s.size }

// Reader returns a reader from the start.
func (s *Stream) Reader() io.Reader { return &streamReader{stream: s} }

// Drop lets go of the stream's memory.
func (s *Stream) Drop() {
	for i := range s.pieces {
		s.scratch.Drop(&s.pieces[i])
	}
	s.pieces = nil
}

type streamReader struct {
	stream *Stream
	next   int
	rest   []byte
	buf    []byte
}

func (r *streamReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == len(r.stream.pieces) {
			return 0, io.EOF
		}
		got, err := r.stream.scratch.Get(r.stream.pieces[r.next], r.buf)
		if err != nil {
			return 0, err
		}
		if r.stream.pieces[r.next].memory == nil {
			r.buf = got
		}
		r.rest = got
		r.next++
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
