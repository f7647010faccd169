//go:build integration

package sim_test

import (
	"os"
	"slices"
	"testing"
)

// share are the mutants that continuous integration plays; `make mutants` plays all.
var share = []string{
	"batch-forgets-last-epoch", "cut-by-time", "duplicate-window-129", "import-counted-twice", "late-event-dropped", "mark-without-contiguity",
	"night-forgets-recent-ids", "no-blob-ahead-check", "other-namespace", "reader-cut-off-by-one", "tile-lost-on-merge", "window-one-tile-short",
}

// TestIntegrationMutants: every planted bug is noticed within 1,000 seeds.
func TestIntegrationMutants(t *testing.T) {
	all := os.Getenv("ANABRANCH_MUTANTS") == "all"
	for _, m := range readMutants(t) {
		if all || slices.Contains(share, m.name) {
			t.Run(m.name, m.catch)
		}
	}
}
