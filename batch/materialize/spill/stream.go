package spill

import "io"

// Stream is a sequence of bytes in a scratch: written once, then read as often as wanted. Unlike those of
// pieces its bytes are not verified: what is written to it carries checksums of its own.
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
		s.scratch.Drop(s.pieces[i])
	}
	s.pieces = nil
}

type streamReader struct {
	stream *Stream
	next   int
	at     int // in the piece
}

// Read reads from one piece at a time, straight into b: a reader that waits holds no memory.
func (r *streamReader) Read(b []byte) (int, error) {
	for r.next < len(r.stream.pieces) {
		p := r.stream.pieces[r.next]
		n := min(len(b), int(p.length)-r.at)
		if n == 0 && len(b) > 0 {
			r.next, r.at = r.next+1, 0
			continue
		}
		if err := r.stream.scratch.read(p, r.at, b[:n]); err != nil {
			return 0, err
		}
		r.at += n
		return n, nil
	}
	return 0, io.EOF
}
