package materialize_test

import (
	"testing"
	"time"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// BenchmarkCompute reads 500,000 rows of 5,000 users and 2,000 items over 14 days.
func BenchmarkCompute(b *testing.B) {
	const rows = 500_000
	w := batchtest.New(b)
	w.ObjectRows = 20_000
	shop := batchtest.NewShop(1, 5000, 2000)
	w.Import(shop.Events(rows/2, label.AddDate(0, 0, -7), 7*24*time.Hour))
	for _, e := range shop.Events(rows/2, label, 7*24*time.Hour) {
		w.Append(e)
	}
	mark, cut := w.Mark(label)
	source, err := materialize.Discover(b.Context(), w.Bucket, materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut})
	if err != nil {
		b.Fatal(err)
	}
	catalogue, err := feature.Default()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := materialize.Compute(b.Context(), w.Bucket, source, materialize.Options{
			Catalogue: catalogue, Weights: model.DefaultWeights(), AsOf: label.UnixMilli(), Dates: func(int32) bool { return true },
			Dir: b.TempDir(),
		})
		if err != nil || r.Counts.Rows != rows {
			b.Fatal(r, err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

var label = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
