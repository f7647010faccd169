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
	"github.com/anabranch/anabranch/scripts/oracle"
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

// groupBySQL is the same for DuckDB, in the form that it runs fastest: the day by integer division.
const groupBySQL = `
SELECT count(*), CAST(sum((((item * 31 + day) %% 2147483647 * 8191 + n) %% 2147483647 * 8191 + cents) %% 2147483647) AS BIGINT)
FROM (
  SELECT CAST(substr(item_id, 2) AS BIGINT) AS item, day, n, CAST(round(coalesce(total, 0) * 100) AS BIGINT) AS cents
  FROM (
    SELECT item_id, epoch_ms(event_time) // 86400000 AS day, count(*) AS n, sum(value) AS total
    FROM read_parquet('%s') WHERE reject IS NULL GROUP BY ALL
  )
)`

// groupByDuckDB groups the archive's rows with DuckDB.
func groupByDuckDB(ctx context.Context, binary string, a rawgen.Archive) (grouped, usage, error) {
	rows, use, err := runDuckDB(ctx, binary, groupByThreads, fmt.Sprintf(groupBySQL, a.Glob()))
	if err != nil {
		return grouped{}, usage{}, err
	}
	if len(rows) != 1 || len(rows[0]) != 2 {
		return grouped{}, usage{}, fmt.Errorf("DuckDB returned %v, expected one row of two numbers", rows)
	}
	var g grouped
	var errs [2]error
	g.Groups, errs[0] = integer(rows[0][0])
	g.Checksum, errs[1] = integer(rows[0][1])
	return g, use, errors.Join(errs[:]...)
}

// groupByRounds is how often each engine runs, in turns. The least of each counts: what else the machine does only adds.
const groupByRounds = 3

// runGroupBy measures GROUP BY item, day with count and sum: from the files, verified, to the last group.
func runGroupBy(ctx context.Context, out *report, scales []float64, log *slog.Logger) error {
	binary, err := oracle.Build(ctx, oracle.DuckDB)
	if err != nil {
		return err
	}
	for _, scale := range scales {
		a, err := rawArchive(ctx, scale, log)
		if err != nil {
			return err
		}
		if err := compareGroupBy(ctx, out, binary, a, scale, log); err != nil {
			return fmt.Errorf("group %d rows: %w", a.Params.Rows, err)
		}
	}
	return nil
}

func compareGroupBy(ctx context.Context, out *report, binary string, a rawgen.Archive, scale float64, log *slog.Logger) error {
	var best, bestDuckDB usage
	var groups int64
	for round := range groupByRounds {
		var ours grouped
		use, err := measureUse(func() (err error) { ours, err = groupByOurs(ctx, a); return err })
		if err != nil {
			return err
		}
		theirs, duck, err := groupByDuckDB(ctx, binary, a)
		if err != nil {
			return err
		}
		if ours != theirs {
			return fmt.Errorf("the engines disagree: %+v, DuckDB %+v", ours, theirs)
		}
		log.Info("grouped", "rows", a.Params.Rows, "groups", ours.Groups, "cpu_s", use.CPU, "peak_mb", use.PeakMB, "duckdb_cpu_s", duck.CPU, "duckdb_peak_mb", duck.PeakMB)
		if round == 0 || use.CPU < best.CPU {
			best = use
		}
		if round == 0 || duck.CPU < bestDuckDB.CPU {
			bestDuckDB = duck
		}
		groups = ours.Groups
	}
	params := map[string]any{"rows": a.Params.Rows, "bytes": a.Bytes, "groups": groups, "threads": groupByThreads, "least_of": groupByRounds}
	out.add(scaleName("groupby_cpu_over_duckdb", scale), best.CPU/bestDuckDB.CPU, "1", params)
	out.add(scaleName("groupby_cpu_s", scale), best.CPU, "s", params)
	out.add(scaleName("groupby_duckdb_cpu_s", scale), bestDuckDB.CPU, "s", params)
	out.add(scaleName("groupby_peak_mb", scale), best.PeakMB, "MB", params)
	out.add(scaleName("groupby_duckdb_peak_mb", scale), bestDuckDB.PeakMB, "MB", params)
	return nil
}
