package nightly_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/parquetwh"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var label = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// nonces are different in every config of a test binary.
var nonces atomic.Int64

// config returns a configuration over b with a clock that never shows the same time twice.
func config(t testing.TB, b *bucket.Bucket) nightly.Config {
	t.Helper()
	catalogue, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	params := model.DefaultTrainParams()
	params.Dim, params.Epochs = 8, 2
	nonce := func() string { return fmt.Sprintf("nonce-%d", nonces.Add(1)) }
	return nightly.Config{
		Bucket: b, Warehouse: parquetwh.Open(b), Catalogue: catalogue, Train: params, Weights: model.DefaultWeights(),
		Snapshot: func(context.Context) (items, users []byte, err error) {
			return []byte(`{"item_id":"i1"}` + "\n"), []byte(`{"user_id":"u1"}` + "\n"), nil
		},
		Publisher: publish.Publisher{Bucket: b, Nonce: nonce},
		Clock:     func() time.Time { return label.Add(time.Duration(nonces.Add(1)) * time.Millisecond) },
		Log:       slog.New(slog.DiscardHandler), Version: "test",
	}
}

// world returns an archive with an import, one closed epoch, and the place of its mark.
func world(t testing.TB) (*batchtest.World, nightly.At) {
	t.Helper()
	w := batchtest.New(t)
	w.ObjectRows = 100
	shop := batchtest.NewShop(11, 40, 30)
	w.Import(shop.Events(300, label.AddDate(0, 0, -3), 3*24*time.Hour))
	return w, grow(w, shop, 300, label)
}

// grow appends n events and closes the epoch.
func grow(w *batchtest.World, shop *batchtest.Shop, n int, label time.Time) nightly.At {
	for _, e := range shop.Events(n, label, 48*time.Hour) {
		w.Append(e)
	}
	mark, cut := w.Mark(label)
	return nightly.At{Mark: mark, TopicID: batchtest.TopicID, Cut: cut}
}

// run is a night with a ledger, as the command runs it.
func run(ctx context.Context, c nightly.Config, at nightly.At) (result nightly.Result, err error) {
	c.Ledger, ctx, err = ledger.Begin(ctx, ledger.Options{
		Bucket: c.Bucket, Label: at.Mark.Label, ID: fmt.Sprintf("attempt-%012d", nonces.Add(1)), Command: "nightly", Version: c.Version, Clock: c.Clock,
	})
	if err != nil {
		return nightly.Result{}, err
	}
	defer func() { err = errors.Join(err, c.Ledger.End(ctx, err)) }()
	r, err := nightly.Open(ctx, c, at)
	if err != nil {
		return nightly.Result{}, err
	}
	return r.Do(ctx)
}

func mustRun(t testing.TB, c nightly.Config, at nightly.At) nightly.Result {
	t.Helper()
	r, err := run(t.Context(), c, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stepOf returns what a night did of a step.
func stepOf(t testing.TB, r nightly.Result, name string) nightly.Outcome {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(o nightly.Outcome) bool { return o.Step == name })
	if i < 0 {
		t.Fatalf("the night did no %s: %+v", name, r.Steps)
	}
	return r.Steps[i]
}

// contents returns the SHA-256 of every object whose key keep accepts.
func contents(t testing.TB, b *bucket.Bucket, keep func(string) bool) map[string]string {
	t.Helper()
	objects, err := b.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range objects {
		if !keep(o.Key) {
			continue
		}
		data, _, err := b.Get(context.Background(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		out[o.Key] = model.SHA256Hex(data)
	}
	return out
}

// everything is all but what every attempt leaves in the ledger: that it was made.
func everything(key string) bool {
	return !strings.Contains(key, "/attempts/") && !strings.HasSuffix(key, "/lease.json")
}

// outputs are the objects whose bytes follow from the inputs: all but timings and nonces.
func outputs(key string) bool {
	return key != model.PointerKey && (!strings.HasPrefix(key, "runs/") || strings.HasPrefix(key, "runs/partitions/"))
}

func TestRunPublishesAGeneration(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	r := mustRun(t, c, at)
	if r.Unchanged || len(r.Steps) != 6 || r.Counts.Events != 600 || r.Metrics[nightly.MetricCases] < 1 || r.Metrics[nightly.MetricCoverage] <= 0 {
		t.Errorf("result %+v", r)
	}
	p, _, err := artifact.ReadPointer(t.Context(), w.Bucket)
	if err != nil || p.Current != r.Generation || p.Floor != 1 {
		t.Fatalf("pointer %+v, %v", p, err)
	}
	g, err := artifact.Open(t.Context(), w.Bucket, p.Current)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g.Manifest().Metrics, r.Metrics); diff != "" {
		t.Error(diff)
	}
	defer g.Close()
	var names []string
	for _, f := range g.Manifest().Files {
		names = append(names, f.Name)
	}
	want := []string{
		model.FeaturesFile, model.MetricsFile, model.ItemVectorsFile, model.UserVectorsFile,
		model.GlobalViewFile, model.ItemViewFile, model.RecentFile, model.UserViewFile,
	}
	if diff := cmp.Diff(want, names); diff != "" || g.Manifest().Inputs.CutN != 1 {
		t.Errorf("cut %d, files:\n%s", g.Manifest().Inputs.CutN, diff)
	}
	if _, ok := g.UserVector("u1"); !ok {
		t.Error("no vector for u1")
	}
}

// TestRepeating is bar 4: a second run has nothing to do and changes nothing; a forced one computes again and
// every object of the bucket keeps its bytes.
func TestRepeating(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	mustRun(t, c, at)
	before := contents(t, w.Bucket, everything)
	if r := mustRun(t, c, at); !r.Unchanged || r.Counts.Events != 600 || r.Metrics == nil {
		t.Errorf("second run: %+v", r)
	}
	if diff := cmp.Diff(before, contents(t, w.Bucket, everything)); diff != "" {
		t.Errorf("the second run changed objects:\n%s", diff)
	}
	for _, threads := range []int{1, 3} {
		c.Force, c.Threads = true, threads
		if r := mustRun(t, c, at); r.Unchanged || r.Steps[0].Status != nightly.Done {
			t.Errorf("forced run: %+v", r)
		}
		if diff := cmp.Diff(before, contents(t, w.Bucket, everything)); diff != "" {
			t.Errorf("the forced run on %d threads changed objects:\n%s", threads, diff)
		}
	}
}

func TestDeletedOutputsAreMadeAgain(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	r := mustRun(t, c, at)
	before := contents(t, w.Bucket, outputs)
	objects, err := w.Bucket.List(t.Context(), model.GenerationPrefix(r.Generation))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if err := w.Bucket.Delete(t.Context(), o.Key); err != nil {
			t.Fatal(err)
		}
		if again := mustRun(t, c, at); again.Unchanged {
			t.Errorf("nothing to do without %s", o.Key)
		}
		if diff := cmp.Diff(before, contents(t, w.Bucket, outputs)); diff != "" {
			t.Fatalf("after deleting %s:\n%s", o.Key, diff)
		}
	}
	if err := w.Bucket.Delete(t.Context(), model.PointerKey); err != nil {
		t.Fatal(err)
	}
	mustRun(t, c, at)
	if p, _, err := artifact.ReadPointer(t.Context(), w.Bucket); err != nil || p.Current != r.Generation {
		t.Errorf("pointer %+v, %v", p, err)
	}
}

// TestOtherBytesAreRefused damages a file of the generation: a forced run must not replace it in silence.
func TestOtherBytesAreRefused(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	r := mustRun(t, c, at)
	key := model.GenerationPrefix(r.Generation) + model.ItemViewFile
	if _, err := w.Bucket.Put(t.Context(), key, []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	c.Force = true
	if _, err := run(t.Context(), c, at); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want an error that names %s", err, key)
	}
}

// TestNextNight closes another epoch: only its warehouse partition is rebuilt, and the floor stays until
// the first generation is dropped.
func TestNextNight(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(5, 40, 30)
	c := config(t, w.Bucket)
	var ids []string
	for day := range 3 {
		at := grow(w, shop, 200, label.AddDate(0, 0, day))
		r := mustRun(t, c, at)
		ids = append(ids, r.Generation)
		want := []string{label.AddDate(0, 0, day-1).Format(time.DateOnly)}
		if diff := cmp.Diff(want, stepOf(t, r, nightly.StepMaterialize).Partitions); diff != "" {
			t.Errorf("day %d, partitions replaced:\n%s", day, diff)
		}
	}
	p, _, err := artifact.ReadPointer(t.Context(), w.Bucket)
	if err != nil || p.Current != ids[2] || p.Floor != 2 || p.Sequence != 3 {
		t.Errorf("pointer %+v, %v", p, err)
	}
	// A repeated or forced run of a night that is over changes nothing, least of all the pointer.
	old := nightly.At{TopicID: batchtest.TopicID}
	if _, err := w.Bucket.GetJSON(t.Context(), model.MarkKey(1), &old.Mark); err != nil {
		t.Fatal(err)
	}
	var x model.Index
	if _, err := w.Bucket.GetJSON(t.Context(), model.IndexKey(0), &x); err != nil {
		t.Fatal(err)
	}
	old.Cut = x.End
	before := contents(t, w.Bucket, everything)
	if r := mustRun(t, c, old); !r.Unchanged || r.Generation != ids[0] {
		t.Errorf("repeated first night: %+v", r)
	}
	c.Force = true
	mustRun(t, c, old)
	if diff := cmp.Diff(before, contents(t, w.Bucket, everything)); diff != "" {
		t.Errorf("the first night, repeated, changed objects:\n%s", diff)
	}
}

// TestMarksOfOneDate repeats the night of a mark after that of a later mark of the same date. The
// partition of the date keeps what the later one added, and is healed by the later one's repetition.
func TestMarksOfOneDate(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(7, 40, 30)
	c := config(t, w.Bucket)
	noon := grow(w, shop, 200, label.Add(-12*time.Hour)) // its night did not get beyond the mark
	end := grow(w, shop, 100, label)
	mustRun(t, c, end)
	before, rows := contents(t, w.Bucket, warehouseOnly), partitionRows(t, c.Warehouse)
	for _, force := range []bool{false, true} {
		c.Force = force
		if _, err := run(t.Context(), c, noon); api.CodeOf(err) != api.Superseded {
			t.Errorf("force %v: the night of the earlier mark: %v", force, err)
		}
		if diff := cmp.Diff(before, contents(t, w.Bucket, warehouseOnly)); diff != "" {
			t.Errorf("force %v: the night of the earlier mark changed the warehouse:\n%s", force, diff)
		}
	}
	c.Force = false
	if r := mustRun(t, c, end); !r.Unchanged {
		t.Errorf("the later night, repeated: %+v", r)
	}
	record := "runs/partitions/" + label.AddDate(0, 0, -1).Format(time.DateOnly) + ".json"
	if err := w.Bucket.Delete(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), c, noon); api.CodeOf(err) != api.Superseded { // nothing says that it is late
		t.Error(err)
	}
	r := mustRun(t, c, end)
	if r.Unchanged || stepOf(t, r, nightly.StepMaterialize).Status != nightly.Done || stepOf(t, r, nightly.StepTrain).Status != nightly.Skipped {
		t.Errorf("the later night found its partition rewound and did %+v", r.Steps)
	}
	if diff := cmp.Diff(rows, partitionRows(t, c.Warehouse)); diff != "" {
		t.Errorf("the warehouse after healing:\n%s", diff)
	}
}

// partitionRows returns the rows of every partition of every table.
func partitionRows(t *testing.T, w *warehouse.Warehouse) map[string][]warehouse.Partition {
	t.Helper()
	out := map[string][]warehouse.Partition{}
	for _, table := range tables.All() {
		var err error
		if out[table.Name], err = w.Partitions(t.Context(), table.Name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func warehouseOnly(key string) bool {
	return strings.HasPrefix(key, "warehouse/") || strings.HasPrefix(key, "runs/partitions/")
}

// TestRollbackIsNotUndone rolls back and lets the scheduler repeat the night.
func TestRollbackIsNotUndone(t *testing.T) {
	w := batchtest.New(t)
	shop := batchtest.NewShop(6, 40, 30)
	c := config(t, w.Bucket)
	first := mustRun(t, c, grow(w, shop, 200, label))
	at := grow(w, shop, 200, label.AddDate(0, 0, 1))
	mustRun(t, c, at)
	if _, err := c.Publisher.Rollback(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		c.Force = force
		mustRun(t, c, at)
		if p, _, err := artifact.ReadPointer(t.Context(), w.Bucket); err != nil || p.Current != first.Generation {
			t.Errorf("force %v: pointer %+v, %v", force, p, err)
		}
	}
}

func TestChangedParametersAreAnotherGeneration(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	a := mustRun(t, c, at)
	c.Train.Seed++
	b, err := run(t.Context(), c, at)
	if api.CodeOf(err) != api.Superseded { // a generation of the same cut is published already
		t.Errorf("got %v", err)
	}
	if a.Generation == b.Generation {
		t.Error("two models under one id")
	}
}

func TestNothingToLearnFrom(t *testing.T) {
	w := batchtest.New(t)
	w.Reject(0)
	w.Reject(2)
	mark, cut := w.Mark(label)
	before := contents(t, w.Bucket, outputs)
	_, err := run(t.Context(), config(t, w.Bucket), nightly.At{Mark: mark, TopicID: batchtest.TopicID, Cut: cut})
	if api.CodeOf(err) != api.Gate || !strings.Contains(err.Error(), "2026-11-22") {
		t.Errorf("got %v, want a gate that names the date", err)
	}
	after := contents(t, w.Bucket, func(key string) bool {
		return outputs(key) && !strings.HasPrefix(key, "snapshots/") && !strings.HasPrefix(key, quality.Prefix)
	})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("written all the same:\n%s", diff)
	}
}

// TestStepsAlone calls the steps as the commands of the same name do.
func TestStepsAlone(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	r, err := nightly.Open(t.Context(), c, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Train(t.Context()); api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), "anabranch materialize") {
		t.Errorf("train before materialize: %v", err)
	}
	for _, step := range []func(context.Context) (nightly.Outcome, error){r.Materialize, r.Train, r.Evaluate, r.Publish} {
		for _, want := range []nightly.Status{nightly.Done, nightly.Skipped} {
			if o, err := step(t.Context()); err != nil || o.Status != want {
				t.Errorf("%s: %s, %v; want %s", o.Step, o.Status, err, want)
			}
		}
	}
}

// TestSnapshotIsTakenOnce changes the catalog between two runs of a mark.
func TestSnapshotIsTakenOnce(t *testing.T) {
	w, at := world(t)
	c := config(t, w.Bucket)
	r := mustRun(t, c, at)
	c.Snapshot = func(context.Context) (items, users []byte, err error) {
		t.Error("the snapshot was taken again")
		return nil, nil, nil
	}
	if again := mustRun(t, c, at); again.Generation != r.Generation {
		t.Errorf("generation %s after %s", again.Generation, r.Generation)
	}
	data, _, err := w.Bucket.Get(t.Context(), nightly.SnapshotKey(1, "items"))
	if err != nil || !bytes.Contains(data, []byte("i1")) {
		t.Errorf("snapshot %q, %v", data, err)
	}
}
