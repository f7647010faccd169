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
	"slices"
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
	kept [][]byte // pieces in memory
	file *os.File
	end  int64
}

// Piece names what was put. There may be millions, so it is small.
type Piece struct {
	at     int64 // offset in the file, or ^index in kept
	length int32
	sum    uint32 // of what lies in the file
}

// NewScratch returns a scratch that keeps up to limit bytes in memory and the rest below dir ("" is
// the system's folder for temporary files).
func NewScratch(dir string, limit int64) *Scratch { return &Scratch{dir: dir, limit: limit} }

// maxPiece is the longest piece.
const maxPiece = 1<<31 - 1

// Put keeps a copy of b.
func (s *Scratch) Put(b []byte) (Piece, error) {
	if len(b) > maxPiece {
		return Piece{}, fmt.Errorf("put rows aside: a piece has %d bytes, at most %d are possible", len(b), maxPiece)
	}
	p := Piece{length: int32(len(b))}
	if len(b) == 0 {
		return p, nil
	}
	file, err := s.place(b, &p)
	if err != nil || file == nil {
		return p, err
	}
	if _, err := file.WriteAt(b, p.at); err != nil {
		return Piece{}, fmt.Errorf("put rows aside: %w", err)
	}
	p.sum = uint32(xxhash.Sum64(b))
	return p, nil
}

// place keeps b in memory, or finds room for it in the file, which it returns.
func (s *Scratch) place(b []byte, p *Piece) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(b))
	if s.held+n <= s.limit {
		s.held += n
		p.at = ^int64(len(s.kept))
		s.kept = append(s.kept, append(make([]byte, 0, n), b...))
		return nil, nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "anabranch-spill-")
		if err != nil {
			return nil, fmt.Errorf("make room for rows that do not fit into memory: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, errors.Join(fmt.Errorf("make room for rows that do not fit into memory: %w", err), f.Close())
		}
		s.file = f
	}
	p.at = s.end
	s.end += n
	return s.file, nil
}

// InMemory reports whether a piece did not go to the file: what Get returns of it is then the piece's own memory.
func (p Piece) InMemory() bool { return p.at < 0 }

// where returns the memory of a piece, or the file in which it lies.
func (s *Scratch) where(p Piece) ([]byte, *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.InMemory() {
		return s.kept[^p.at], nil
	}
	return nil, s.file
}

// Get returns a piece: the memory it is kept in, which must not be changed, or buf, grown as needed.
func (s *Scratch) Get(p Piece, buf []byte) ([]byte, error) {
	memory, file := s.where(p)
	if file == nil || p.length == 0 {
		return memory, nil
	}
	buf = slices.Grow(buf[:0], int(p.length))[:p.length]
	if _, err := file.ReadAt(buf, p.at); err != nil {
		return nil, fmt.Errorf("read rows put aside: %w", err)
	}
	if uint32(xxhash.Sum64(buf)) != p.sum {
		return nil, fmt.Errorf("read %d bytes at %d put aside: %w", p.length, p.at, ErrDamaged)
	}
	return buf, nil
}

// read reads a part of a piece, without verifying it.
func (s *Scratch) read(p Piece, at int, into []byte) error {
	memory, file := s.where(p)
	if file == nil {
		copy(into, memory[at:])
		return nil
	}
	if _, err := file.ReadAt(into, p.at+int64(at)); err != nil {
		return fmt.Errorf("read rows put aside: %w", err)
	}
	return nil
}

// Drop forgets a piece and lets go of its memory. Room in the file is not used again.
func (s *Scratch) Drop(p Piece) {
	if !p.InMemory() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= int64(len(s.kept[^p.at]))
	s.kept[^p.at] = nil
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
	s.file, s.kept = nil, nil
	return f.Close()
}
