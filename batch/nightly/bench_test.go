package nightly_test

import (
	"testing"
	"time"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/schemas/model"
)

// BenchmarkNight runs the whole night of a shop of the size of the demo: 14 days, 500,000 events, 5,000 users and
// 2,000 items. It reports the seconds of each step.
func BenchmarkNight(b *testing.B) {
	w := batchtest.New(b)
	shop := batchtest.NewShop(1, 5000, 2000)
	w.Import(shop.Events(500_000, label, 14*24*time.Hour))
	mark, cut := w.Mark(label)
	at := nightly.At{Mark: mark, TopicID: batchtest.TopicID, Cut: cut}
	seconds := map[string]float64{}
	for b.Loop() {
		c := config(b, copyOf(b, w.Bucket))
		c.Clock, c.Train = time.Now, model.DefaultTrainParams()
		for _, s := range mustRun(b, c, at).Steps {
			seconds[s.Step] += float64(s.Millis) / 1000
		}
	}
	for _, step := range []string{nightly.StepMaterialize, nightly.StepTrain, nightly.StepEvaluate, nightly.StepPublish} {
		b.ReportMetric(seconds[step]/float64(b.N), step+"-s")
	}
}
