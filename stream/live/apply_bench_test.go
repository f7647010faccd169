package live

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
)

// BenchmarkApply measures Engine.Apply alone: a batch with three events of every two users, on the states that a day
// with the given number of events a user has left, in one epoch or spread over three.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct{ each, epochs int }{{50, 1}, {1000, 1}, {1000, 3}} {
		b.Run(fmt.Sprintf("events=%d/epochs=%d", c.each, c.epochs), func(b *testing.B) {
			const users, batch = 340, 510
			w := newWorld(b)
			fillDay(b, w, users, c.each, c.epochs, batch)
			judged := w.engine.Judge(w.fence, w.records[w.fence.Next:])
			var states [][]byte
			for _, suffix := range judged.Touched {
				states = append(states, w.blobs[suffix])
			}
			size := 0
			b.ResetTimer()
			before := cpuSeconds(b)
			for b.Loop() {
				r, err := w.engine.Apply(w.fence, &judged, states, int64(w.now)-100*dayMs)
				if err != nil || r.Applied != batch {
					b.Fatal(r.Applied, err)
				}
				size = 0
				for _, blob := range r.Blobs {
					size += len(blob.Value)
				}
			}
			b.ReportMetric(1e9*(cpuSeconds(b)-before)/float64(batch*b.N), "cpu-ns/event")
			b.ReportMetric(float64(size)/float64(len(judged.Touched)), "bytes/state")
		})
	}
}

// fillDay applies a day of events and appends a batch that is not applied.
func fillDay(b *testing.B, w *world, users, each, epochs, batch int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 3))
	items := rand.NewZipf(rng, 1.1, 200, 1999)
	types := []string{"view", "view", "view", "view", "view", "view", "view", "cart", "purchase", "like"}
	n, start := users*each, w.now
	for i := range n + batch {
		if i < n && i > 0 && i%(n/epochs) == 0 && i/(n/epochs) < epochs {
			w.mark(int64(i / (n / epochs)))
		}
		item, user := items.Uint64(), rng.IntN(users)
		category, price := fmt.Sprint("category ", item%40), float64(item%977)+0.99
		w.now = start + event.Millis(dayMs*i/n)
		if err := w.produce(event.Event{
			ID: fmt.Sprintf("01JB%022d", i), UserID: fmt.Sprint("u", 100_000+user), ItemID: fmt.Sprint("i", 10_000+item),
			Type: types[rng.IntN(len(types))], Time: w.now, SessionID: fmt.Sprint("s", user, "-", i>>12),
			Context: map[string]string{"page": "home", "device": [...]string{"phone", "tablet", "desktop"}[user%3]},
			Stamp:   &event.Stamp{Category: &category, Price: &price},
		}); err != nil {
			b.Fatal(err)
		}
	}
	for int(w.fence.Next) < len(w.records)-batch {
		k := min(5000, len(w.records)-batch-int(w.fence.Next))
		judged := w.engine.Judge(w.fence, w.records[w.fence.Next:][:k])
		states := make([][]byte, len(judged.Touched))
		for i, suffix := range judged.Touched {
			states[i] = w.blobs[suffix]
		}
		r, err := w.engine.Apply(w.fence, &judged, states, 0)
		if err != nil {
			b.Fatal(err)
		}
		for _, blob := range r.Blobs {
			w.blobs[blob.Suffix] = bytes.Clone(blob.Value)
		}
		w.fence = judged.Next
	}
}
