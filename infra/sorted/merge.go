package sorted

import (
	"bytes"
	"encoding/binary"
)

// Source is a sequence of rows in key order: an Iter, a RunReader or a Merger. Key and Value are valid
// until the next Next.
type Source interface {
	Next() bool
	Key() []byte
	Value() []byte
	Err() error
}

// Merger reads several sources as one: all their rows in key order, and equal keys in the order of
// the sources. It is for one goroutine, and is itself a Source.
type Merger struct {
	sources []Source
	heap    []head // sources that have a row, the first row on top
	started bool
	err     error
}

// head is a source's current row as the heap compares it.
type head struct {
	prefix uint64 // the first 8 bytes of the key, so that most comparisons touch only the heap
	source int
}

// Merge returns a Merger of sources. They must not be used otherwise until it is done. It reads one
// row of each ahead.
func Merge(sources ...Source) *Merger {
	return &Merger{sources: sources, heap: make([]head, 0, len(sources))}
}

// Next reads the next row and says whether there was one. After false, Err says why. The first error
// of any source ends the merge: a sequence with holes would be taken for a whole one.
func (m *Merger) Next() bool {
	if m.err != nil {
		return false
	}
	if !m.started {
		m.start()
	} else if len(m.heap) > 0 {
		m.advance()
	}
	return m.err == nil && len(m.heap) > 0
}

func (m *Merger) start() {
	m.started = true
	for i, s := range m.sources {
		if s.Next() {
			m.heap = append(m.heap, head{prefix: prefixOf(s.Key()), source: i})
		} else if m.err = s.Err(); m.err != nil {
			return
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
}

// advance moves the source on top, which Next returned last.
func (m *Merger) advance() {
	top := &m.heap[0]
	s := m.sources[top.source]
	if s.Next() {
		top.prefix = prefixOf(s.Key())
	} else if m.err = s.Err(); m.err != nil {
		return
	} else {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
	}
	m.sink(0)
}

// sink restores the heap below i.
func (m *Merger) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(m.heap) {
			return
		}
		if right := child + 1; right < len(m.heap) && m.less(right, child) {
			child = right
		}
		if !m.less(child, i) {
			return
		}
		m.heap[i], m.heap[child] = m.heap[child], m.heap[i]
		i = child
	}
}

func (m *Merger) less(i, j int) bool {
	a, b := m.heap[i], m.heap[j]
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	if c := bytes.Compare(m.sources[a.source].Key(), m.sources[b.source].Key()); c != 0 {
		return c < 0
	}
	return a.source < b.source
}

// prefixOf returns the first 8 bytes of key as a number that orders as they do. A shorter key is
// followed by zeros, so equal prefixes say nothing.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// Key returns the key of the row that Next read, valid until the next Next.
func (m *Merger) Key() []byte { return m.sources[m.heap[0].source].Key() }

// Value returns the value of the row that Next read, valid until the next Next.
func (m *Merger) Value() []byte { return m.sources[m.heap[0].source].Value() }

// Source returns which source the row that Next read comes from.
func (m *Merger) Source() int { return m.heap[0].source }

// Err returns what ended the merge, nil if that was the last row.
func (m *Merger) Err() error { return m.err }
