package hashagg

import (
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

const (
	vector     = 512 // rows handled at a time
	chunkLog   = 12  // rows of a piece of memory
	chunkRows  = 1 << chunkLog
	maxSlotLog = 31
)

var (
	errTexts  = errors.New("hash aggregation: the distinct texts of a key take more than 4 GiB, or there are more than 2^28: set MemoryBytes so that the table spills before")
	errGroups = errors.New("hash aggregation: more than a billion groups in one table: set MemoryBytes so that it spills before")
)

// Table aggregates batches. It serves one goroutine at a time.
type Table struct {
	spec   Spec
	o      Options
	stride int         // words of a row
	empty  []uint64    // the aggregates of a new row
	texts  []*interner // by key, nil for integers

	dense  *dense   // nil: slots are used
	slots  []uint64 // upper half of the hash, row number + 1; 0 is free
	shift  uint
	skip   uint // upper bits of the hash that all rows have in common
	rows   [][]uint64
	groups int
	runs   []run

	// Of the vector in work.
	sel    []int32        // its rows in the batch
	keys   []uint64       // by row, then by key
	hashes []uint64       // of a key's texts, then of whole keys
	refs   []uint32       // row numbers
	prints []print        // of a key of texts
	dicts  [][]uint32     // by key: numbers of the entries of a batch's dictionary, +1, 0 where not known yet
	one    column.Strings // a text that was read from a run
	sink   uint64         // keeps the loads of touch alive
}

// New returns an empty table.
func New(s Spec, o Options) (*Table, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if o.MemoryBytes > 0 && o.Spill == nil {
		return nil, errors.New("hash aggregation: MemoryBytes without Spill")
	}
	t := &Table{spec: s, o: o, stride: len(s.Keys) + len(s.Aggregates)}
	for _, a := range s.Aggregates {
		t.empty = append(t.empty, a.identity())
	}
	t.sel, t.hashes, t.refs = make([]int32, 0, vector), make([]uint64, vector), make([]uint32, vector)
	t.prints = make([]print, vector)
	t.keys = make([]uint64, vector*len(s.Keys))
	t.dicts = make([][]uint32, len(s.Keys))
	t.reset()
	return t, nil
}

// reset forgets all groups and gives their memory back.
func (t *Table) reset() {
	t.slots, t.rows, t.groups = nil, nil, 0
	if t.dense = newDense(t.spec); t.dense == nil {
		t.useSlots()
	}
	t.texts = make([]*interner, len(t.spec.Keys))
	for i, k := range t.spec.Keys {
		if k == Text {
			t.texts[i] = newInterner()
		}
	}
}

// Groups returns how many groups the table holds in memory.
func (t *Table) Groups() int { return t.groups }

// Bytes returns the memory that the table takes.
func (t *Table) Bytes() int64 {
	n := int64(len(t.slots))*8 + int64(len(t.rows))*chunkRows*int64(t.stride)*8
	if t.dense != nil {
		n += t.dense.bytes()
	}
	for _, in := range t.texts {
		if in != nil {
			n += in.bytes()
		}
	}
	return n
}

// Add aggregates the rows of a batch. It keeps nothing of the batch.
func (t *Table) Add(b *Batch) error {
	if err := b.check(&t.spec); err != nil {
		return fmt.Errorf("hash aggregation: %w", err)
	}
	for i, k := range b.Keys {
		if t.texts[i] != nil && k.Text.IDs != nil {
			t.dicts[i] = cleared(t.dicts[i], k.Text.Values.Len())
		}
	}
	for next := 0; next < b.Rows; {
		next = t.choose(b, next)
		if len(t.sel) == 0 {
			break
		}
		if err := t.addVector(b); err != nil {
			return err
		}
	}
	if t.o.MemoryBytes > 0 && t.Bytes() > t.o.MemoryBytes {
		return t.spill()
	}
	return nil
}

func cleared(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// choose fills the vector with rows from next on and returns where it ended.
func (t *Table) choose(b *Batch, next int) int {
	t.sel = t.sel[:0]
	for ; next < b.Rows && len(t.sel) < vector; next++ {
		if b.Valid == nil || b.Valid[next] {
			t.sel = append(t.sel, int32(next))
		}
	}
	return next
}

func (t *Table) addVector(b *Batch) error {
	for i := range t.spec.Keys {
		if t.texts[i] == nil {
			t.intKey(i, b.Keys[i].Ints)
		} else if err := t.textKey(i, b.Keys[i].Text); err != nil {
			return err
		}
	}
	if err := t.find(len(t.sel)); err != nil {
		return err
	}
	for i, a := range t.spec.Aggregates {
		t.update(a, len(t.spec.Keys)+i, &b.Operands[i])
	}
	return nil
}

// find sets refs to the rows of the vector's n keys, which it makes where they are new.
func (t *Table) find(n int) error {
	if t.dense == nil {
		return t.hashFind(0, n)
	}
	found := t.dense.find(t, n)
	if found == n {
		return nil
	}
	t.useSlots()
	for ref := range t.groups {
		t.enter(uint32(ref))
	}
	return t.hashFind(found, n)
}

// row returns the words of a row.
func (t *Table) row(ref uint32) []uint64 {
	at := int(ref%chunkRows) * t.stride
	return t.rows[ref>>chunkLog][at : at+t.stride]
}

func (t *Table) equal(ref uint32, key []uint64) bool {
	row := t.row(ref)
	for i, k := range key {
		if row[i] != k {
			return false
		}
	}
	return true
}

func (t *Table) insert(key []uint64) uint32 {
	ref := uint32(t.groups)
	if ref%chunkRows == 0 {
		t.rows = append(t.rows, make([]uint64, chunkRows*t.stride))
	}
	t.groups++
	row := t.row(ref)
	copy(row, key)
	copy(row[len(key):], t.empty)
	return ref
}
