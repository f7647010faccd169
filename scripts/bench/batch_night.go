package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

// nightRounds is how often a night and its copying are measured; the least CPU counts.
const nightRounds = 9

// nightParams are an archive of some days with the same rows, users and items a day whatever their number.
func nightParams(days int) rawgen.Params {
	const rowsPerDay, users, items = 100_000, 60_000, 20_000
	return rawgen.Params{
		Rows: int64(days) * rowsPerDay, Days: days, Partitions: 8, Users: users, Items: items, Duplicates: 100, Seed: 1,
	}
}

// night is what the last night of an archive takes: the generation before it is continued by one day.
type night struct {
	whole computeAnswer // the night
	copy  computeAnswer // no new row and no later instant: every table is read and written as it is
	prune computeAnswer // no new row, but the instant of the night: and tiles that no window reaches go
	first computeAnswer // the generation before, from all its days

	archive      rawgen.Archive
	scratch      string
	before, asOf int64 // labels of the last two marks
}

// work is the CPU of a night without the copying of views.
func (n *night) work() float64 { return n.whole.Usage.CPU - n.copy.Usage.CPU }

// runNight measures the last of 365 nights, and of 30, in turns: so that a noisy minute is noisy for both. The parts' scales do
// not matter here.
func runNight(ctx context.Context, out *report, _ []float64, log *slog.Logger) (err error) {
	dir, err := rawgen.CacheDir()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "anabranch-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for temporary files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	var nights [2]night // long, short
	for i, days := range []int{365, 30} {
		archive, err := rawgen.Open(ctx, dir, nightParams(days), log)
		if err != nil {
			return err
		}
		nights[i] = night{archive: archive, scratch: filepath.Join(scratch, fmt.Sprint(days))}
	}
	if err := measureNights(ctx, nights[:], log); err != nil {
		return err
	}
	reportNights(out, nights[0], nights[1])
	return nil
}

// measureNights computes the generations before the last days from the start, then the nights that continue them.
func measureNights(ctx context.Context, nights []night, log *slog.Logger) error {
	for i := range nights {
		if err := nights[i].start(ctx, log); err != nil {
			return err
		}
	}
	for round := range nightRounds {
		for i := range nights {
			if err := nights[i].measure(ctx, round, log); err != nil {
				return err
			}
		}
	}
	for i := range nights {
		if err := nights[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// start computes the generation before the last day.
func (n *night) start(ctx context.Context, log *slog.Logger) (err error) {
	if n.before, err = labelOf(ctx, n.archive, n.archive.Marks-1); err != nil {
		return err
	}
	if n.asOf, err = labelOf(ctx, n.archive, n.archive.Marks); err != nil {
		return err
	}
	if err := os.MkdirAll(n.scratch, 0o755); err != nil {
		return fmt.Errorf("make a folder for temporary files: %w", err)
	}
	first := computeRequest{Dir: n.archive.Dir, N: n.archive.Marks - 1, AsOf: n.before, Scratch: n.scratch, Keep: n.previous()}
	if n.first, err = computeInChild(ctx, first); err != nil {
		return err
	}
	log.Info("the generation before the night", "days", n.archive.Marks-1, "cpu_s", n.first.Usage.CPU, "bytes", n.first.Bytes)
	return nil
}

// previous is where the generation before is kept.
func (n *night) previous() string { return filepath.Join(n.scratch, "previous") }

// measure computes the night and what is compared with it once.
func (n *night) measure(ctx context.Context, round int, log *slog.Logger) error {
	marks := n.archive.Marks
	for _, x := range []struct {
		name string
		n    int64
		asOf int64
		into *computeAnswer
	}{{"night", marks, n.asOf, &n.whole}, {"copy", marks - 1, n.before, &n.copy}, {"prune", marks - 1, n.asOf, &n.prune}} {
		r := computeRequest{Dir: n.archive.Dir, N: x.n, AsOf: x.asOf, Scratch: n.scratch, Previous: n.previous()}
		if name := os.Getenv("PROFILE"); name != "" && x.into == &n.whole {
			r.Profile = fmt.Sprintf("%s.%d.%d", name, marks, round)
		}
		got, err := computeInChild(ctx, r)
		if err != nil {
			return fmt.Errorf("%s of %d days: %w", x.name, marks, err)
		}
		log.Info("measured", "what", x.name, "days", marks, "cpu_s", got.Usage.CPU, "peak_mb", got.Usage.PeakMB, "phases", got.Phases)
		*x.into = least(round, *x.into, got)
	}
	return nil
}

// check proves that the nights did what they are named after.
func (n *night) check() error {
	if n.whole.Counts.Rows <= n.first.Counts.Rows || n.copy.Counts != n.first.Counts || n.prune.Counts != n.first.Counts {
		return fmt.Errorf("a night from %+v came to %+v, without new rows to %+v and %+v", n.first.Counts, n.whole.Counts, n.copy.Counts, n.prune.Counts)
	}
	if n.copy.Bytes != n.first.Bytes {
		return fmt.Errorf("copied tables have %d bytes, those before %d", n.copy.Bytes, n.first.Bytes)
	}
	return nil
}

func reportNights(out *report, long, short night) {
	params := map[string]any{
		"rows_per_day": long.whole.Counts.Rows - long.first.Counts.Rows, "users": long.whole.Counts.Users, "items": long.whole.Counts.Items,
		"threads": computeThreads, "least_of": nightRounds, "night365_bytes": long.whole.Bytes, "night30_bytes": short.whole.Bytes,
	}
	out.add("night365_over_night30", long.work()/short.work(), "1", params)
	out.add("night365_over_night30_with_copy", long.whole.Usage.CPU/short.whole.Usage.CPU, "1", params)
	for _, x := range []struct {
		name string
		night
	}{{"night365", long}, {"night30", short}} {
		out.add(x.name+"_cpu_s", x.whole.Usage.CPU, "s", params)
		out.add(x.name+"_copy_s", x.copy.Usage.CPU, "s", params)
		out.add(x.name+"_prune_s", x.prune.Usage.CPU-x.copy.Usage.CPU, "s", params)
		out.add(x.name+"_from_start_s", x.first.Usage.CPU, "s", params)
		out.add(x.name+"_peak_mb", x.whole.Usage.PeakMB, "MB", params)
	}
}
