package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/lmittmann/tint"

	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

// The batch suite measures the columnar engine against DuckDB on the same files in the same run. It is made of
// parts, because each of them takes minutes:
//
//	PART=groupby          the parts to run, separated by commas; all where it is not set
//	SCALE=0.25,1,4        how many times 50 million rows, for the parts that grow; 1 where it is not set
//	PROFILE=FILE          where materialize leaves the CPU profile of its last computation, and night those of its nights: FILE.365, FILE.30
//
// The rows are generated once (package rawgen) and kept in ANABRANCH_BENCHDATA. DuckDB is built once and needs a C
// compiler; without one the parts that compare with it fail and say so.

// batchRows is scale 1.
const batchRows = 50_000_000

// batchPart measures a few values; add a part by adding a file batch_*.go and a line in batchParts.
type batchPart struct {
	name string
	run  func(ctx context.Context, out *report, scales []float64, log *slog.Logger) error
}

func batchParts() []batchPart {
	return []batchPart{
		{"groupby", runGroupBy},
		{"read", runRead},
		{"state", runState},
		{"materialize", runMaterialize},
		{"night", runNight},
	}
}

func runBatch(ctx context.Context, out *report) error {
	log := slog.New(tint.NewTextHandler(os.Stderr, nil))
	scales, err := batchScales(os.Getenv("SCALE"))
	if err != nil {
		return err
	}
	chosen, err := choose(batchParts(), func(p batchPart) string { return p.name }, os.Getenv("PART"))
	if err != nil {
		return err
	}
	for _, p := range chosen {
		log.Info("measuring", "part", p.name)
		if err := p.run(ctx, out, scales, log); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	return nil
}

// choose returns the parts that a comma-separated list names, all for an empty one.
func choose[P any](parts []P, nameOf func(P) string, list string) ([]P, error) {
	if list == "" {
		return parts, nil
	}
	var names []string
	for _, p := range parts {
		names = append(names, nameOf(p))
	}
	var out []P
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q: choose from %s", name, strings.Join(names, ","))
		}
		out = append(out, parts[i])
	}
	return out, nil
}

func batchScales(list string) ([]float64, error) {
	if list == "" {
		return []float64{1}, nil
	}
	var out []float64
	for word := range strings.SplitSeq(list, ",") {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil || x <= 0 || x > 100 {
			return nil, fmt.Errorf("scale %q: a number above 0 and up to 100 is accepted", word)
		}
		out = append(out, x)
	}
	return out, nil
}

// rawArchive returns the archive of a scale.
func rawArchive(ctx context.Context, scale float64, log *slog.Logger) (rawgen.Archive, error) {
	dir, err := rawgen.CacheDir()
	if err != nil {
		return rawgen.Archive{}, err
	}
	return rawgen.Open(ctx, dir, rawgen.Sized(int64(scale*batchRows)), log)
}

// scaleName is the suffix of a value's name at a scale: none at 1.
func scaleName(name string, scale float64) string {
	if scale == 1 {
		return name
	}
	return name + "_x" + strconv.FormatFloat(scale, 'g', -1, 64)
}
