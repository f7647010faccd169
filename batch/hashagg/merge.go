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
// afterwards and their runs closed, whatever happened. Where a table has spilled, threads partitions are merged at a time,
// and fn is called for each; never two calls at once.
func Merge(ctx context.Context, tables []*Table, threads int, fn func(*Groups) error) (err error) {
	defer func() { err = errors.Join(err, closeRuns(tables)) }()
	if len(tables) == 0 {
		return nil
	}
	spilled := false
	for _, t := range tables {
		spilled = spilled || len(t.runs) > 0
	}
	if spilled {
		return mergeRuns(ctx, tables, threads, fn)
	}
	first := tables[0]
	defer first.reset()
	for _, t := range tables[1:] {
		if err := first.absorb(t); err != nil {
			return err
		}
		t.reset()
	}
	return fn(&Groups{first})
}

func closeRuns(tables []*Table) error {
	var errs []error
	for _, t := range tables {
		for _, r := range t.runs {
			if err := r.file.Close(); err != nil {
				errs = append(errs, fmt.Errorf("hash aggregation: close a run: %w", err))
			}
		}
		t.runs = nil
	}
	return errors.Join(errs...)
}

// absorb adds the groups of another table.
func (t *Table) absorb(from *Table) error {
	numbers := make([][]uint32, len(t.texts)) // of the other's texts here
	for i, in := range from.texts {
		if in == nil {
			continue
		}
		t.texts[i].reserve(in.texts.Len())
		numbers[i] = make([]uint32, in.texts.Len())
		for n := 1; n < in.texts.Len(); n++ {
			var err error
			if numbers[i][n], err = t.texts[i].number(in.texts.At(n), in.hashes[n]); err != nil {
				return err
			}
		}
	}
	for start := 0; start < from.groups; start += vector {
		n := min(vector, from.groups-start)
		for j := range n {
			t.takeKeys(j, from, numbers, from.row(uint32(start+j)))
		}
		if err := t.find(n); err != nil {
			return err
		}
		for j := range n {
			t.joinRow(t.refs[j], from.row(uint32(start + j))[len(t.spec.Keys):])
		}
	}
	return nil
}

// takeKeys makes row j of the vector of another table's row.
func (t *Table) takeKeys(j int, from *Table, numbers [][]uint32, row []uint64) {
	for i := range t.spec.Keys {
		v := row[i]
		if t.texts[i] == nil {
			t.setKey(i, j, v, mix(v^seed0, seed1))
		} else {
			t.setKey(i, j, uint64(numbers[i][v]), from.texts[i].hashes[v])
		}
	}
}

// mergeRuns spills what the tables still hold and merges partition by partition.
func mergeRuns(ctx context.Context, tables []*Table, threads int, fn func(*Groups) error) error {
	for _, t := range tables {
		if t.groups > 0 {
			if err := t.spill(); err != nil {
				return err
			}
		}
	}
	var calling sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(threads, 1))
	for p := range partitions {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			part, err := New(tables[0].spec, Options{})
			if err != nil {
				return err
			}
			part.skip = radixLog
			for _, t := range tables {
				for i := range t.runs {
					if err := part.load(&t.runs[i], p); err != nil {
						return err
					}
				}
			}
			calling.Lock()
			defer calling.Unlock()
			return fn(&Groups{part})
		})
	}
	return g.Wait()
}
