// Package spill is where materialize puts rows aside: in memory up to a limit, beyond it in a
// temporary file. [Columns] turns rows into compact blocks, [Scratch] keeps blocks, and
// [Stream] keeps a sequence of bytes such as a sorted run.
//
// A temporary file has no name from the moment it is made: whatever happens to the process, the system
// takes its room back. Every piece carries a checksum that Get verifies.
package spill

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// ErrDamaged says that a piece did not come back as it was put.
var ErrDamaged = errors.New("a temporary file is damaged")

// Scratch keeps pieces of bytes. It is safe for use by several goroutines.
type Scratch struct {
	dir   string
	limit int64 // bytes kept in memory

	mu   sync.Mutex
	held int64
	file *os.File
	end  int64
}

// Piece names what was put.
type Piece struct {
	memory []byte
	offset int64
	length int
	sum    uint64
}

// NewScratch returns a scratch that keeps up to limit bytes in memory and the rest below dir ("" is
// the system's folder for temporary files).
func NewScratch(dir string, limit int64) *Scratch { return &Scratch{dir: dir, limit: limit} }

// Put keeps a copy of b.
func (s *Scratch) Put(b []byte) (Piece, error) {
	if len(b) == 0 {
		return Piece{}, nil
	}
	file, offset, err := s.place(int64(len(b)))
	if err != nil {
		return Piece{}, err
	}
	if file == nil {
		return Piece{memory: append(make([]byte, 0, len(b)), b...), length: len(b)}, nil
	}
	if _, err := file.WriteAt(b, offset); err != nil {
		return Piece{}, fmt.Errorf("put rows aside: %w", err)
	}
	return Piece{offset: offset, length: len(b), sum: xxhash.Sum64(b)}, nil
}

// place finds room for n bytes: in memory (no file) or at an offset of the file.
func (s *Scratch) place(n int64) (*os.File, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+n <= s.limit {
		s.held += n
		return nil, 0, nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "anabranch-spill-")
		if err != nil {
			return nil, 0, fmt.Errorf("make room for rows that do not fit into memory: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, 0, errors.Join(fmt.Errorf("make room for rows that do not fit into memory: %w", err), f.Close())
		}
		s.file = f
	}
	s.end += n
	return s.file, s.end - n, nil
}

// Get returns a piece: the memory it is kept in, which must not be changed, or buf, grown as needed.
func (s *Scratch) Get(p Piece, buf []byte) ([]byte, error) {
	if p.memory != nil || p.length == 0 {
		return p.memory, nil
	}
	if cap(buf) < p.length {
		buf = make([]byte, p.length)
	}
	buf = buf[:p.length]
	if _, err := s.file.ReadAt(buf, p.offset); err != nil {
		return nil, fmt.Errorf("read rows put aside: %w", err)
	}
	if xxhash.Sum64(buf) != p.sum {
		return nil, fmt.Errorf("read %d bytes at %d put aside: %w", p.length, p.offset, ErrDamaged)
	}
	return buf, nil
}

// read reads a part of a piece, without verifying it.
func (s *Scratch) read(p *Piece, at int, into []byte) error {
	if p.memory != nil {
		copy(into, p.memory[at:])
		return nil
	}
	if _, err := s.file.ReadAt(into, p.offset+int64(at)); err != nil {
		return fmt.Errorf("read rows put aside: %w", err)
	}
	return nil
}

// Drop forgets a piece and lets go of its memory. Room in the file is not used again.
func (s *Scratch) Drop(p *Piece) {
	s.mu.Lock()
	s.held -= int64(len(p.memory))
	s.mu.Unlock()
	*p = Piece{}
}

// OnDisk returns how many bytes went to the temporary file.
func (s *Scratch) OnDisk() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// Close forgets everything.
func (s *Scratch) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// InMemory reports whether a piece did not go to the file: what Get returns of it is then the piece's own memory.
func (p Piece) InMemory() bool { return p.memory != nil }
