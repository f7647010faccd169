package hashagg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Groups are finished groups, in no order. They are valid only during the call that they are handed to.
type Groups struct{ t *Table }

// Len returns the number of groups.
func (g *Groups) Len() int { return g.t.groups }

// KeyInt returns an integer key of group i.
func (g *Groups) KeyInt(key, i int) int64 { return int64(g.t.row(uint32(i))[key]) }

// KeyText returns a text key of group i, nil for null.
func (g *Groups) KeyText(key, i int) []byte {
	number := g.t.row(uint32(i))[key]
	if number == 0 {
		return nil
	}
	return g.t.texts[key].texts.At(int(number))
}

// Int returns aggregate n of group i, a Count or one of integers.
func (g *Groups) Int(n, i int) int64 { return int64(g.t.row(uint32(i))[len(g.t.spec.Keys)+n]) }

// Float returns aggregate n of group i, one of floats.
func (g *Groups) Float(n, i int) float64 {
	return math.Float64frombits(g.t.row(uint32(i))[len(g.t.spec.Keys)+n])
}

// Merge hands the groups of all tables to fn, each group once. The tables, which must be of one Spec, are empty
// afterwards and their runs closed, whatever happened. Several tables are merged partition by partition, threads
// at a time, and fn is called for each; never two calls at once.
func Merge(ctx context.Context, tables []*Table, threads int, fn func(*Groups) error) (err error) {
	defer func() { err = errors.Join(err, closeAll(tables)) }()
	spilled, dense := false, true
	for _, t := range tables {
		spilled = spilled || len(t.runs) > 0
		dense = dense && t.dense != nil
	}
	switch {
	case spilled:
		return mergeRuns(ctx, tables, threads, fn)
	case len(tables) == 1:
		return fn(&Groups{tables[0]})
	case len(tables) == 0:
		return nil
	case dense:
		return mergeDense(tables, fn)
	}
	return mergeTables(ctx, tables, threads, fn)
}

// closeAll empties the tables and closes their runs.
func closeAll(tables []*Table) error {
	var errs []error
	for _, t := range tables {
		t.reset()
		for _, r := range t.runs {
			if err := r.file.Close(); err != nil {
				errs = append(errs, fmt.Errorf("hash aggregation: close a run: %w", err))
			}
		}
		t.runs = nil
	}
	return errors.Join(errs...)
}

// mergeDense adds the groups of all tables to the first, which costs little where no hashing is needed.
func mergeDense(tables []*Table, fn func(*Groups) error) error {
	first := tables[0]
	for _, t := range tables[1:] {
		numbers, err := first.adopt(t)
		if err != nil {
			return err
		}
		refs := make([]uint32, t.groups)
		for i := range refs {
			refs[i] = uint32(i)
		}
		if err := first.absorb(&source{table: t, numbers: numbers}, refs); err != nil {
			return err
		}
		t.reset()
	}
	return fn(&Groups{first})
}

// source is a table's groups, sorted by partition, and the numbers that its texts have in the first table.
type source struct {
	table   *Table
	refs    []uint32
	ends    [partitions]int64
	numbers [][]uint32
}

// mergeTables merges tables that are all in memory. The texts of all become texts of the first, then each partition is
// merged in a table of its own, small enough for the caches.
func mergeTables(ctx context.Context, tables []*Table, threads int, fn func(*Groups) error) error {
	sources := make([]source, len(tables))
	for i, t := range tables {
		numbers, err := tables[0].adopt(t)
		if err != nil {
			return err
		}
		sources[i] = source{table: t, numbers: numbers}
		sources[i].refs = t.byPartition(&sources[i].ends)
	}
	return eachPartition(ctx, threads, fn, func(p int) (*Table, error) {
		part, err := newPart(tables[0].spec)
		if err != nil {
			return nil, err
		}
		part.texts = tables[0].texts // only read from here on
		for i := range sources {
			start, end := int64(0), sources[i].ends[p]
			if p > 0 {
				start = sources[i].ends[p-1]
			}
			if err := part.absorb(&sources[i], sources[i].refs[start:end]); err != nil {
				return nil, err
			}
		}
		return part, nil
	})
}

// newPart returns a table for the groups of one partition, whose texts may be numbered far apart.
func newPart(s Spec) (*Table, error) {
	t, err := New(s, Options{})
	if err != nil {
		return nil, err
	}
	t.skip = radixLog
	t.useSlots()
	return t, nil
}

// adopt returns, by key, the numbers that another table's texts have here.
func (t *Table) adopt(from *Table) ([][]uint32, error) {
	numbers := make([][]uint32, len(t.texts))
	for i, in := range from.texts {
		if in == nil {
			continue
		}
		t.texts[i].reserve(in.texts.Len())
		numbers[i] = make([]uint32, in.texts.Len())
		for n := 1; n < in.texts.Len(); n++ {
			var err error
			p := printOf(in.texts.At(n))
			if numbers[i][n], err = t.texts[i].number(&in.texts, n, p, in.hashes[n]); err != nil {
				return nil, err
			}
		}
	}
	return numbers, nil
}

// absorb adds some groups of another table.
func (t *Table) absorb(from *source, refs []uint32) error {
	for len(refs) > 0 {
		n := min(vector, len(refs))
		for j, ref := range refs[:n] {
			t.takeKeys(j, from, from.table.row(ref))
		}
		if err := t.find(n); err != nil {
			return err
		}
		for j, ref := range refs[:n] {
			t.joinRow(t.refs[j], from.table.row(ref)[len(t.spec.Keys):])
		}
		refs = refs[n:]
	}
	return nil
}

// takeKeys makes row j of the vector of another table's row.
func (t *Table) takeKeys(j int, from *source, row []uint64) {
	for i := range t.spec.Keys {
		if t.texts[i] == nil {
			t.setKey(i, j, row[i])
		} else {
			t.setKey(i, j, uint64(from.numbers[i][row[i]]))
		}
	}
}

// mergeRuns spills what the tables still hold and merges their runs.
func mergeRuns(ctx context.Context, tables []*Table, threads int, fn func(*Groups) error) error {
	for _, t := range tables {
		if t.groups > 0 {
			if err := t.spill(); err != nil {
				return err
			}
		}
	}
	return eachPartition(ctx, threads, fn, func(p int) (*Table, error) {
		part, err := newPart(tables[0].spec)
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			for i := range t.runs {
				if err := part.load(&t.runs[i], p); err != nil {
					return nil, err
				}
			}
		}
		return part, nil
	})
}

// eachPartition merges threads partitions at a time and hands each to fn.
func eachPartition(ctx context.Context, threads int, fn func(*Groups) error, merge func(p int) (*Table, error)) error {
	var calling sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(threads, 1))
	for p := range partitions {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			part, err := merge(p)
			if err != nil {
				return err
			}
			calling.Lock()
			defer calling.Unlock()
			return fn(&Groups{part})
		})
	}
	return g.Wait()
}
