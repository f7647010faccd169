package live

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// shopEvents makes n events as a shop's front end sends them: 5,000 users, 2,000 items, Zipf.
func shopEvents(n int) []event.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 4, 1999)
	now := event.MillisOf(time.Now())
	out := make([]event.Event, n)
	for i := range out {
		item := zipf.Uint64()
		category, price := fmt.Sprint("category ", item%20), math.Round(rng.Float64()*1e4)/100
		out[i] = event.Event{
			ID: fmt.Sprintf("01J%023d", i), UserID: fmt.Sprint("u", rng.IntN(5000)), ItemID: fmt.Sprint("i", item),
			Type: "view", Time: now - event.Millis(n-i), SessionID: fmt.Sprint("s", rng.IntN(9000)),
			Context: map[string]string{"page": "home", "device": "phone"},
			Stamp:   &event.Stamp{Category: &category, Price: &price},
		}
	}
	return out
}

// BenchmarkRunner measures events per second from Kafka to Redis, both embedded in this process, on
// one core: JSON decoding, states, encoding and the fenced commit included.
func BenchmarkRunner(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := newSystem(b, 4)
	events := shopEvents(b.N)
	records := make([]*kgo.Record, len(events))
	bytes := 0
	for i := range events {
		value, err := events[i].Encode()
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(value)
		records[i] = &kgo.Record{Topic: s.topic, Key: []byte(events[i].UserID), Value: value}
	}
	if err := s.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	b.ResetTimer()
	before := cpuSeconds(b)
	cfg := s.config(s.redis)
	cfg.BatchRecords = 0 // the default
	cfg.CheckEvery = 0
	s.start(cfg)
	s.awaitCaughtUp()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N)/(cpuSeconds(b)-before), "events/cpu-s")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/event")
}

// cpuSeconds is what the process has used: what one core does in a second, also on a busy machine.
func cpuSeconds(b *testing.B) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// BenchmarkEngine measures the pure step on warm states.
func BenchmarkEngine(b *testing.B) {
	w := newWorld(b)
	w.now = event.MillisOf(time.Now())
	for _, e := range shopEvents(20_000) {
		if err := w.produce(e); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		w.reset()
		for int(w.fence.Next) < len(w.records) {
			if _, err := w.run(512, 0, true); err != nil {
				b.Fatal(err)
			}
			w.fence.Next += 512
		}
	}
	b.ReportMetric(float64(len(w.records))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
