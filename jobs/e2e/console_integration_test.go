//go:build integration

package e2e_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/serving/console/consoletest"
)

// TestIntegrationConsoleOverDev is a visitor of a running dev: they choose a user and press "view", and
// the merged list moves while the batch list stays. The screenshot is kept where ANABRANCH_SCREENSHOT
// says.
func TestIntegrationConsoleOverDev(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	chromium := need.Chromium(t)
	dev := start(t, "dev", "--json", "--data", t.TempDir(), "--listen", freePort(t),
		"--shop-users", "1000", "--shop-items", "500", "--shop-events", "60000", "--shop-days", "7")
	ready := dev.waitReady(t, time.Minute)
	visit, err := consoletest.Open(ctx, consoletest.Config{Chromium: chromium, Dir: t.TempDir(), URL: ready.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := visit.Close(); err != nil {
			t.Error(err)
		}
	}()

	if err := visit.ChooseUser(ready.User); err != nil {
		t.Fatal(err)
	}
	batch, merged := items(t, visit, "batch"), items(t, visit, "merged")
	viewed, err := visit.ViewFirst(ready.User)
	if err != nil {
		t.Fatal(err)
	}
	if after := items(t, visit, "merged"); viewed != merged[0] || slices.Contains(after, viewed) || len(after) != len(merged) {
		t.Errorf("%s was viewed; merged was %v and is %v", viewed, merged, after)
	}
	if after := items(t, visit, "batch"); !slices.Equal(after, batch) {
		t.Errorf("batch was %v and is %v", batch, after)
	}
	if err := visit.WaitPulse(5); err != nil {
		t.Fatal(err)
	}
	for _, complaint := range visit.Complaints() {
		t.Errorf("the browser complained: %s", complaint)
	}
	keep(t, visit)
}

func items(t *testing.T, v *consoletest.Visit, list string) []string {
	t.Helper()
	ids, err := v.Items(list)
	if err != nil || len(ids) == 0 {
		t.Fatalf("list %s: %v, %v", list, ids, err)
	}
	return ids
}

func keep(t *testing.T, v *consoletest.Visit) {
	t.Helper()
	png, err := v.Screenshot()
	if err != nil {
		t.Fatal(err)
	}
	file := cmp.Or(os.Getenv("ANABRANCH_SCREENSHOT"), filepath.Join(t.TempDir(), "console.png"))
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("screenshot: %s", file)
}
