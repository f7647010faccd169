package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/scripts/bench/rawgen"
	"github.com/anabranch/anabranch/scripts/oracle"
)

// compareBelow is the scale from which on DuckDB is not asked any more: it would need more than the memory and the
// disk of a usual machine.
const compareBelow = 4

// runMaterialize measures the materialization of the default catalogue over a whole archive, duplicate rule included
// and no warehouse, and DuckDB answering the equivalent SQL from the same files. Only what both found alike is compared.
func runMaterialize(ctx context.Context, out *report, scales []float64, log *slog.Logger) error {
	binary, err := oracle.Build(ctx, oracle.DuckDB)
	if err != nil {
		return err
	}
	for _, scale := range scales {
		a, err := rawArchive(ctx, scale, log)
		if err != nil {
			return err
		}
		if scale >= compareBelow {
			binary = ""
		}
		if err := measureMaterialize(ctx, out, binary, a, scale, log); err != nil {
			return fmt.Errorf("materialize %d rows: %w", a.Params.Rows, err)
		}
	}
	return nil
}

// materializeRounds is how often each engine runs, in turns; the least CPU counts. Once where it takes minutes.
func materializeRounds(rows int64) int {
	if rows > 5_000_000 {
		return 1
	}
	return 3
}

func measureMaterialize(ctx context.Context, out *report, binary string, a rawgen.Archive, scale float64, log *slog.Logger) (err error) {
	scratch, err := os.MkdirTemp("", "anabranch-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for temporary files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	asOf, err := labelOf(ctx, a, a.Marks)
	if err != nil {
		return err
	}
	request := computeRequest{Dir: a.Dir, N: a.Marks, AsOf: asOf, Scratch: scratch, Profile: os.Getenv("PROFILE"), Facts: binary != ""}
	rounds := materializeRounds(a.Params.Rows)
	var ours, duck computeAnswer
	for round := range rounds {
		x, err := computeInChild(ctx, request)
		if err != nil {
			return err
		}
		log.Info("materialized", "rows", x.Counts.Rows, "cpu_s", x.Usage.CPU, "wall_s", x.Usage.Wall, "peak_mb", x.Usage.PeakMB, "bytes", x.Bytes, "phases", x.Phases)
		if binary != "" {
			y, err := materializeByDuckDB(ctx, binary, a, asOf, scratch)
			if err != nil {
				return err
			}
			log.Info("materialized by DuckDB", "cpu_s", y.Usage.CPU, "wall_s", y.Usage.Wall, "peak_mb", y.Usage.PeakMB, "phases", y.Phases)
			if err := agree(x.Facts, y.Facts); err != nil {
				return err
			}
			duck = least(round, duck, y)
		}
		ours = least(round, ours, x)
	}
	reportMaterialize(out, scale, a, rounds, ours, duck)
	return nil
}

func materializeByDuckDB(ctx context.Context, binary string, a rawgen.Archive, asOf int64, scratch string) (computeAnswer, error) {
	catalogue, err := feature.Default()
	if err != nil {
		return computeAnswer{}, err
	}
	m, err := newMaterializeSQL(catalogue, a, asOf)
	if err != nil {
		return computeAnswer{}, err
	}
	return m.run(ctx, binary, scratch)
}

// least returns the answer that took less CPU, with the larger peak of both: a peak is to be promised.
func least(round int, a, b computeAnswer) computeAnswer {
	if round == 0 {
		return b
	}
	peak := max(a.Usage.PeakMB, b.Usage.PeakMB)
	if b.Usage.CPU < a.Usage.CPU {
		a = b
	}
	a.Usage.PeakMB = peak
	return a
}

// labelOf returns the instant that mark n is called by, Unix ms.
func labelOf(ctx context.Context, a rawgen.Archive, n int64) (int64, error) {
	var m model.Mark
	if _, err := a.Bucket.GetJSON(ctx, model.MarkKey(n), &m); err != nil {
		return 0, fmt.Errorf("read mark %d: %w", n, err)
	}
	return m.Label.UnixMilli(), nil
}

// agree returns an error that names what two engines found differently.
func agree(ours, theirs facts) error {
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if got, found := ours[name]; !found || got != theirs[name] {
			differ = append(differ, fmt.Sprintf("%s: %d, DuckDB %d", name, got, theirs[name]))
		}
	}
	if len(differ) > 0 || len(ours) != len(theirs) {
		return fmt.Errorf("the engines disagree on %d of %d facts: %s", len(differ), len(theirs), strings.Join(differ, "; "))
	}
	return nil
}

func reportMaterialize(out *report, scale float64, a rawgen.Archive, rounds int, ours, duck computeAnswer) {
	params := map[string]any{
		"rows": a.Params.Rows, "bytes": a.Bytes, "users": ours.Counts.Users, "items": ours.Counts.Items,
		"events": ours.Counts.Events, "table_bytes": ours.Bytes, "threads": computeThreads, "least_of": rounds,
	}
	add := func(name string, value float64, unit string) { out.add(scaleName(name, scale), value, unit, params) }
	if duck.Usage.CPU > 0 {
		params["duckdb_memory"], params["duckdb_temp_directory"], params["duckdb_preserve_insertion_order"] = duckdbMemory, "disk", false
		params["facts_compared"] = len(duck.Facts)
		add("materialize_cpu_over_duckdb", ours.Usage.CPU/duck.Usage.CPU, "1")
		add("materialize_duckdb_cpu_s", duck.Usage.CPU, "s")
		add("materialize_duckdb_peak_mb", duck.Usage.PeakMB, "MB")
		for _, phase := range slices.Sorted(maps.Keys(duck.Phases)) {
			add("materialize_duckdb_"+phase+"_cpu_s", duck.Phases[phase], "s")
		}
	} else {
		params["duckdb"] = "skipped at this scale"
	}
	if scale == compareBelow {
		out.add("materialize_200m_peak_mb", ours.Usage.PeakMB, "MB", params)
	}
	add("materialize_peak_mb", ours.Usage.PeakMB, "MB")
	add("materialize_cpu_s", ours.Usage.CPU, "s")
	add("materialize_rows_per_s", float64(ours.Counts.Rows)/ours.Usage.Wall, "rows/s")
	for _, phase := range slices.Sorted(maps.Keys(ours.Phases)) {
		add("materialize_"+phase+"_cpu_s", ours.Phases[phase], "s")
	}
}
