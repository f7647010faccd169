package tile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// BenchmarkView measures what a night does with the view of a user of the default catalogue who has had some events a
// day for a year: going on by a day, and writing the whole of it anew.
func BenchmarkView(b *testing.B) {
	for _, daily := range []int{1, 3} {
		plan, codec, bucket, asOf := yearOf(b, daily)
		view := codec.AppendView(nil, bucket)
		var buf []byte
		b.Run(fmt.Sprintf("continue/daily=%d", daily), func(b *testing.B) {
			x, rows := plan.NewContinued(), dayOf(plan, asOf, daily)
			for b.Loop() {
				if err := x.Open(view, rows[0].Time); err != nil {
					b.Fatal(err)
				}
				for i := range rows {
					plan.UpdateSince(x.Bucket, &rows[i], asOf+day)
				}
				var err error
				if buf, err = codec.AppendContinued(buf[:0], x, asOf+day); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(buf)), "bytes")
		})
		b.Run(fmt.Sprintf("write/daily=%d", daily), func(b *testing.B) {
			for b.Loop() {
				buf = codec.AppendView(buf[:0], bucket)
			}
		})
	}
}

// yearOf returns the bucket of a user after a year, and when that is over.
func yearOf(b *testing.B, daily int) (*tile.Plan, *tile.Codec, tile.Bucket, int64) {
	b.Helper()
	c, err := feature.Default()
	if err != nil {
		b.Fatal(err)
	}
	plan, err := tile.Compile(c, feature.User)
	if err != nil {
		b.Fatal(err)
	}
	bucket, at := plan.NewBucket(), 20_000*day
	for range 365 {
		for _, r := range dayOf(plan, at, daily) {
			plan.UpdateSince(bucket, &r, at)
		}
		at += day
		plan.Prune(bucket, at)
	}
	return plan, plan.NewCodec(), bucket, at
}

// dayOf returns the rows of the day that begins at an instant.
func dayOf(plan *tile.Plan, at int64, daily int) []tile.Row {
	rng := rand.New(rand.NewPCG(uint64(at), 1))
	types := []string{"view", "view", "view", "view", "view", "view", "view", "cart", "purchase", "like"}
	rows := make([]tile.Row, daily)
	for i := range rows {
		item := rng.IntN(20_000)
		category, price := fmt.Sprint("category ", item%40), float64(item%977)+0.99
		plan.Fill(&rows[i], &event.Event{
			ItemID: fmt.Sprint("i", 100_000+item), UserID: "u1", Type: types[rng.IntN(len(types))],
			Time: event.Millis(at + int64(i+1)*day/int64(daily+1)), Stamp: &event.Stamp{Category: &category, Price: &price},
		}, tile.Seq(1, at/day*1000+int64(i)))
	}
	return rows
}
