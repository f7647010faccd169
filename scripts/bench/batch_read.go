package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// The user of the read and state parts: how much the view and the live state hold of them.
const (
	readDays   = 90   // of history in the view
	readPerDay = 20   // events on each
	liveEvents = 1000 // in the one open epoch, a day
	readItems  = 200
	readKinds  = 12 // categories
)

// runRead measures joined reads of 50 and of 250 features of one user: a view of 90 days and a live state of
// 1,000 events, from their encodings to the answers, without Redis and without the network.
func runRead(_ context.Context, out *report, _ []float64, _ *slog.Logger) error {
	c, err := feature.Default()
	if err != nil {
		return err
	}
	for name, wide := range wideCatalogues(c) {
		n := len(wide.Features)
		p, err := tile.Compile(wide, feature.User)
		if err != nil {
			return err
		}
		view, state, now := readUser(p)
		r := p.NewReader()
		best, err := fastest(func() error { return readOnce(r, now, view, state) })
		if err != nil {
			return err
		}
		params := map[string]any{
			"features": n, "series": len(p.Series), "view_bytes": len(view), "state_bytes": len(state),
			"view_days": readDays, "live_events": liveEvents, "least_of": readRounds,
		}
		out.add(name+"_us", float64(best.NsPerOp())/1000, "us", params)
		out.add(name+"_allocs", float64(best.AllocsPerOp()), "1", params)
	}
	return nil
}

// readRounds is how often a read is measured, a second each. The least counts: others were at work on the machine in the rest.
const readRounds = 9

// fastest measures a read.
func fastest(read func() error) (best testing.BenchmarkResult, err error) {
	for round := range readRounds {
		b := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err = read(); err != nil {
					b.FailNow()
				}
			}
		})
		if err != nil {
			return best, err
		}
		if round == 0 || b.NsPerOp() < best.NsPerOp() {
			best = b
		}
	}
	return best, nil
}

func readOnce(r *tile.Reader, now int64, view, state []byte) error {
	r.Begin(now)
	if _, err := r.AddState(state, 1); err != nil { // first, as serving does: it is newer
		return err
	}
	if err := r.AddView(view); err != nil {
		return err
	}
	if v := r.Values()[0]; v.Kind() != agg.KindInteger {
		return fmt.Errorf("the first feature answers %s", v)
	}
	return nil
}

// wideCatalogues yields what is read: 50 and 250 features whose windows are as the default catalogue has them, mostly of
// days, and 250 of which every eighth has a window of hours, whose tiles of minutes are many.
func wideCatalogues(c feature.Catalogue) iter.Seq2[string, feature.Catalogue] {
	days := []feature.Window{3, 14, 60, 180, 2, 21, 45, 10}
	for i := range days {
		days[i] *= feature.Day
	}
	hours := slices.Clone(days)
	hours[3] = 6 * feature.Hour
	return func(yield func(string, feature.Catalogue) bool) {
		_ = yield("read50", widen(c, 50, days)) && yield("read250", widen(c, 250, days)) && yield("read250_hours", widen(c, 250, hours))
	}
}

// widen returns n user features: those of the catalogue, then the same ones with other windows.
func widen(c feature.Catalogue, n int, windows []feature.Window) feature.Catalogue {
	users := c.Of(feature.User)
	out := feature.Catalogue{Fields: c.Fields}
	for i := range n {
		d := users[i%len(users)]
		if round := i / len(users); round > 0 {
			d.Name = fmt.Sprintf("%s_%d", d.Name, round)
			d.Window = windows[round-1]
		}
		out.Features = append(out.Features, d)
	}
	return out
}

// readUser returns the view and the live state of a user, and the instant to read at.
func readUser(p *tile.Plan) (view, state []byte, now int64) {
	const start = int64(1_767_225_600_000) // 2026-01-01
	day := int64(feature.Day)
	rng := rand.New(rand.NewPCG(7, 7))
	var row tile.Row
	bucket := p.NewBucket()
	n := 0
	add := func(to tile.Bucket, at int64) string {
		e := readEvent(rng, n, at)
		p.Fill(&row, &e, tile.Seq(3, int64(1000*n)))
		p.Update(to, &row)
		n++
		return e.ID
	}
	for d := range int64(readDays) {
		for i := range int64(readPerDay) {
			add(bucket, start+d*day+i*day/readPerDay)
		}
	}
	live := tile.State{Epochs: []tile.EpochBucket{{Epoch: 1, Bucket: p.NewBucket()}}}
	for i := range int64(liveEvents) {
		at := start + readDays*day + (i+1)*day/liveEvents - 1
		live.Recent.Seen(tile.HashID(add(live.Epochs[0].Bucket, at)), 1)
	}
	now = start + (readDays+1)*day - 1
	p.Prune(bucket, now)
	p.Prune(live.Epochs[0].Bucket, now-int64(feature.Hour)) // as the stream layer does
	codec := p.NewCodec()
	return codec.AppendView(nil, bucket), codec.AppendState(nil, &live), now
}

func readEvent(rng *rand.Rand, n int, at int64) event.Event {
	item := rng.IntN(readItems)
	e := event.Event{
		ID: fmt.Sprint("event", n), UserID: "user00042", ItemID: fmt.Sprintf("item%05d", item), Type: "view", Time: event.Millis(at),
		Stamp: &event.Stamp{Category: new(fmt.Sprint("category", item%readKinds)), Price: new(float64(100+item) / 4)},
	}
	switch n % 10 {
	case 3:
		e.Type = "purchase"
	case 7:
		e.Type, e.Value = "rating", new(float64(1+item%5))
	}
	return e
}

// runState measures the live state of a user after 1,000 events in one epoch by the default catalogue.
func runState(_ context.Context, out *report, _ []float64, _ *slog.Logger) error {
	c, err := feature.Default()
	if err != nil {
		return err
	}
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		return err
	}
	_, state, _ := readUser(p)
	out.add("state_bytes_1000_events", float64(len(state)), "B", map[string]any{
		"features": len(p.Features), "series": len(p.Series), "events": liveEvents, "items": readItems, "categories": readKinds,
	})
	return nil
}
