package quality_test

import (
	"math"
	"testing"
	"time"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/batch/quality"
)

// TestHugeValues: values that are valid, whose sum is not, can be measured and reported.
func TestHugeValues(t *testing.T) {
	label := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	w, shop := batchtest.New(t), batchtest.NewShop(1, 3, 5)
	for i, e := range shop.Events(40, label, time.Hour) {
		e.Value = new([]float64{1.7e308, 1.7e308, -1.7e308, -1.7e308}[i%4])
		w.Append(e)
	}
	mark, cut := w.Mark(label)
	source, err := materialize.Discover(t.Context(), w.Bucket, materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut})
	if err != nil {
		t.Fatal(err)
	}
	p, err := quality.Scan(t.Context(), quality.Rowset{Bucket: w.Bucket, Files: source.Files, AsOf: label.UnixMilli()}, quality.Default())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Metrics["mean.value"]; !(math.Abs(got) < 1e300) {
		t.Errorf("the mean is %v, want about 0", got)
	}
	if err := quality.Store(t.Context(), w.Bucket, quality.Report{Label: label, Stage: quality.Input, Profile: &p}); err != nil {
		t.Error(err)
	}
}

// TestScan recounts a small epoch, and a large one of whose event ids only some are compared: the rate is about the same.
func TestScan(t *testing.T) {
	label := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	w, shop := batchtest.New(t), batchtest.NewShop(1, 300, 50)
	events := shop.Events(4000, label, 20*time.Hour)
	users, items, types, nulls := map[string]bool{}, map[string]bool{}, map[string]int64{}, 0
	sum, values := 0.0, 0
	for i, e := range append(events, events[:1000]...) {
		w.Append(e)
		types[e.Type]++
		users[e.UserID], items[e.ItemID] = true, true
		if e.Value == nil {
			nulls++
		} else {
			sum, values = sum+*e.Value, values+1
		}
		if i%100 == 0 {
			w.Reject(0)
		}
	}
	mark, cut := w.Mark(label)
	source, err := materialize.Discover(t.Context(), w.Bucket, materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut})
	if err != nil {
		t.Fatal(err)
	}
	gates, err := quality.Parse([]byte("input:\n  - {name: once, rows: {column: event_id, unique: true}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int64{0, 500} {
		p, err := quality.Scan(t.Context(), quality.Rowset{Bucket: w.Bucket, Files: source.Files, AsOf: label.UnixMilli(), MaxEvents: most}, gates)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{
			"rows": 5050, "accepted": 5000, "rejected": 50, "reject_rate": 50. / 5050, "users": float64(len(users)), "items": float64(len(items)),
			"null_rate.value": float64(nulls) / 5000, "mean.value": sum / float64(values),
		} {
			if got := p.Metrics[name]; got < want*(1-1e-12) || got > want*(1+1e-12) {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		for name, n := range types {
			if p.Shapes["type"][name] != n {
				t.Errorf("%d rows of type %s, want %d", p.Shapes["type"][name], name, n)
			}
		}
		f := p.Findings[0]
		if most == 0 && (f.Rows != 5000 || f.Violate != 1000) {
			t.Errorf("all event ids compared: %d of %d are repeated", f.Violate, f.Rows)
		}
		if share := float64(f.Violate) / float64(f.Rows); most > 0 && (f.Rows > 1000 || share < .12 || share > .28) {
			t.Errorf("some event ids compared: %d of %d are repeated", f.Violate, f.Rows)
		}
	}
}
