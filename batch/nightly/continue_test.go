package nightly_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/model"
)

// TestNightsContinue runs three nights, each from the one before, and then forces them to compute everything
// again: every object keeps its bytes.
func TestNightsContinue(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(7, 40, 30)
	var log bytes.Buffer
	c := config(t, w.Bucket)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	var nights []nightly.At
	for day := range 3 {
		nights = append(nights, grow(w, shop, 150, label.AddDate(0, 0, day)))
		mustRun(t, c, nights[day])
	}
	if n := strings.Count(log.String(), "continuing from a generation"); n != 2 {
		t.Errorf("%d of 2 nights continued:\n%s", n, log.String())
	}
	before := contents(t, w.Bucket, outputs)
	log.Reset()
	c.Force, c.Memory, c.Dir = true, 64<<10, t.TempDir()
	for _, at := range nights {
		mustRun(t, c, at)
	}
	if diff := cmp.Diff(before, contents(t, w.Bucket, outputs)); diff != "" || strings.Contains(log.String(), "continuing") {
		t.Errorf("computed from the start:\n%s%s", diff, log.String())
	}
}

// TestDamagedGenerationIsNotContinued damages a view of the first night: the second says so and computes
// everything.
func TestDamagedGenerationIsNotContinued(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(7, 20, 10)
	var log bytes.Buffer
	c := config(t, w.Bucket)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	first := mustRun(t, c, grow(w, shop, 150, label))
	if _, err := w.Bucket.Put(t.Context(), model.GenerationPrefix(first.Generation)+model.UserViewFile, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	second := mustRun(t, c, grow(w, shop, 150, label.AddDate(0, 0, 1)))
	if !strings.Contains(log.String(), "cannot continue from a generation") || second.Counts.Events != 300 {
		t.Errorf("%+v\n%s", second.Counts, log.String())
	}
	g, err := artifact.Open(t.Context(), w.Bucket, second.Generation)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
