//go:build integration

package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

var (
	seedsFlag = flag.Int("seeds", 1, "how many seeds of every row are run")
	seedFlag  = flag.Uint64("seed", uint64(time.Now().UnixNano()%1_000_000), "the first seed")
	rowsFlag  = flag.String("rows", "", "numbers of rows, separated by commas; empty: all")
	fullFlag  = flag.Bool("full", false, "outages last as long as the matrix says")
	stateFlag = flag.String("state", "", "file of results; what this build has shown already is not run again")
	tableFlag = flag.String("table", "", "file that gets the table of all results of this build")
	logsFlag  = flag.Bool("logs", false, "print the ends of the logs of all processes")
)

// row is one line of the matrix.
type row struct {
	n        int
	name     string
	needs    string // servers and more, for people
	notBuilt string // why there is none
	run      func(ctx context.Context, w *world) error
}

// limit bounds a row at one seed; rows of a full run may wait for a minute on purpose.
const limit = 4 * time.Minute

// TestIntegrationFaultMatrix plays every row.
func TestIntegrationFaultMatrix(t *testing.T) {
	s := newSuite(t)
	results, err := openResults(*stateFlag)
	if err != nil {
		t.Fatal(err)
	}
	defer results.close()
	wanted := wantedRows(t)
	if *rowsFlag == "" || *rowsFlag == "0" {
		notices(t, s)
	}
	t.Logf("fault matrix: seeds %d to %d, build %.12s; repeat with make faults SEED=%d", *seedFlag, *seedFlag+uint64(*seedsFlag)-1, results.build, *seedFlag)
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag); seed++ {
		for _, r := range wanted {
			if r.run == nil || results.green(r.n, seed, s.full) {
				continue
			}
			began := time.Now()
			err := play(t, s, r, seed)
			res := result{Row: r.n, Seed: seed, Full: s.full, Seconds: time.Since(began).Seconds(), Green: err == nil}
			if err != nil {
				res.Why = err.Error()
				t.Errorf("row %d (%s) seed %d is RED: %v", r.n, r.name, seed, err)
			}
			if err := results.add(res); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s", res.line(r.name))
		}
	}
	t.Logf("\n%s", results.matrix(wanted))
	if *tableFlag != "" {
		if err := os.WriteFile(*tableFlag, []byte(results.page(matrix())), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func wantedRows(t *testing.T) []row {
	t.Helper()
	switch *rowsFlag {
	case "":
		return matrix()
	case "0": // the verifier's own test
		return nil
	}
	var out []row
	for _, text := range strings.Split(*rowsFlag, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		all := matrix()
		i := slices.IndexFunc(all, func(r row) bool { return r.n == n })
		if err != nil || i < 0 {
			t.Fatalf("-rows %q: numbers of rows from 1 to %d are accepted", text, len(all))
		}
		out = append(out, all[i])
	}
	return out
}

// newSuite starts the servers.
func newSuite(t *testing.T) *suite {
	t.Helper()
	set := need.Own(t, "kafka", "redis", "s3")
	s := &suite{
		kafka: set.Server("kafka"), redis: set.Server("redis"), s3: set.Server("s3"),
		config: need.OwnConfig(t), full: *fullFlag,
	}
	for _, kv := range set.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if name == env.S3Var {
			s.s3URL = value
		}
		if strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}
	return s
}

// play runs a row at a seed.
func play(t *testing.T, s *suite, r row, seed uint64) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("row%d-%d", r.n, seed))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if !s.kafka.Running() { // a row that is red may have left it so
		if err := s.kafka.Start(ctx); err != nil {
			return err
		}
	}
	w, err := newWorld(ctx, s, r.n, seed, dir)
	if err != nil {
		return err
	}
	err = r.run(ctx, w)
	for _, p := range w.processes {
		if err != nil {
			break
		}
		if !p.ended() {
			err = p.stop()
		}
	}
	if *logsFlag {
		t.Logf("logs of row %d:\n%s", r.n, w.logs())
	}
	closing, cancelClosing := context.WithTimeout(t.Context(), time.Minute)
	defer cancelClosing()
	if closeErr := w.close(closing); closeErr != nil {
		t.Logf("row %d leaves something behind: %v", r.n, closeErr)
	}
	return err
}
