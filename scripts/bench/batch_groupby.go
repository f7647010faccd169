package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/batch/hashagg"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

const (
	groupByThreads = 2
	groupByBudget  = 384 << 20 // bytes of a table
	dayMillis      = 86_400_000
)

// grouped is what both engines must find: how many groups, and a number that depends on every value of every group.
type grouped struct {
	Groups   int64
	Checksum int64 // Σ over groups of a polynomial of item, day, count and sum in cents, modulo 2^31-1
}

// add takes in a group. DuckDB computes the same in groupBySQL.
func (g *grouped) add(item, day, count int64, sum float64) {
	const modulus = 1<<31 - 1
	cents := int64(math.Round(sum * 100))
	h := (item*31 + day) % modulus
	h = (h*8191 + count) % modulus
	h = (h*8191 + cents) % modulus
	g.Groups++
	g.Checksum += h
}

// groupByOurs groups the archive's rows by item and day.
func groupByOurs(ctx context.Context, a rawgen.Archive) (grouped, error) {
	objects, err := a.Objects(ctx)
	if err != nil {
		return grouped{}, err
	}
	spec := hashagg.Spec{
		Keys:       []hashagg.Kind{hashagg.Text, hashagg.Int},
		Aggregates: []hashagg.Aggregate{{Op: hashagg.Count}, {Op: hashagg.Sum, Float: true}},
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // what it would scan has no pointers
	o := hashagg.Options{MemoryBytes: groupByBudget, Spill: unnamedFile}
	tables := make([]*hashagg.Table, groupByThreads)
	g, gctx := errgroup.WithContext(ctx)
	for i := range tables {
		if tables[i], err = hashagg.New(spec, o); err != nil {
			return grouped{}, err
		}
		// Neighbouring files are of the same day: one thread has the groups of a day, or most.
		n := len(objects)
		half := objects[i*n/groupByThreads : (i+1)*n/groupByThreads]
		g.Go(func() error { return groupFiles(gctx, a, half, tables[i]) })
	}
	if err := g.Wait(); err != nil {
		return grouped{}, err
	}
	var found grouped
	err = hashagg.Merge(ctx, tables, groupByThreads, func(groups *hashagg.Groups) error {
		for i := range groups.Len() {
			item, err := strconv.ParseInt(string(groups.KeyText(0, i)[1:]), 10, 64)
			if err != nil {
				return fmt.Errorf("item %q: %w", groups.KeyText(0, i), err)
			}
			found.add(item, groups.KeyInt(1, i), groups.Int(0, i), groups.Float(1, i))
		}
		return nil
	})
	return found, err
}

func groupFiles(ctx context.Context, a rawgen.Archive, files []model.Object, into *hashagg.Table) error {
	s, err := rawparquet.NewScanner([]string{"item_id", "event_time", "value", "reject"})
	if err != nil {
		return err
	}
	var days []int64
	var valid []bool
	for _, f := range files {
		_, err := s.ScanVerified(ctx, a.Bucket, f.Key, f.Bytes, f.SHA256, func(g *rawparquet.Group) error {
			days = days[:0]
			for _, t := range g.EventTime.Values {
				days = append(days, t/dayMillis)
			}
			valid = valid[:0]
			for i := range g.Rows {
				valid = append(valid, g.Reject.Null(i))
			}
			return into.Add(&hashagg.Batch{
				Rows: g.Rows, Valid: valid,
				Keys:     []hashagg.Key{{Text: g.ItemID}, {Ints: days}},
				Operands: []hashagg.Operand{{}, {Floats: g.Value.Values, Valid: g.Value.Valid}},
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unnamedFile is a temporary file that goes when it is closed.
func unnamedFile() (hashagg.Run, error) {
	f, err := os.CreateTemp("", "anabranch-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink a temporary file: %w", err), f.Close())
	}
	return f, nil
}

// runGroupBy measures GROUP BY item, day.
func runGroupBy(ctx context.Context, out *report, scales []float64, log *slog.Logger) error {
	for _, scale := range scales {
		a, err := rawArchive(ctx, scale, log)
		if err != nil {
			return err
		}
		var ours grouped
		use, err := measureUse(func() (err error) { ours, err = groupByOurs(ctx, a); return err })
		if err != nil {
			return fmt.Errorf("group %d rows: %w", a.Params.Rows, err)
		}
		log.Info("grouped", "groups", ours.Groups, "cpu_s", use.CPU, "wall_s", use.Wall, "peak_mb", use.PeakMB, "sum", ours.Checksum)
		_ = out
	}
	return nil
}
