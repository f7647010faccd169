package tile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

const (
	base   = int64(1_780_000_000_000) // an instant in 2026
	minute = int64(60_000)
	day    = 24 * 60 * minute

	now = base + day - 1 // the instant of reads, at the end of the live day
)

// mixture returns n features of a user, all aggregates alike, over filters and windows as a shop has
// them.
func mixture(n int) feature.Catalogue {
	c := feature.Catalogue{Fields: map[string]feature.Type{"price": {Kind: feature.Decimal, Scale: 2}}}
	aggregates := feature.Aggregates()
	filters := []feature.Filter{{}, {Types: []string{"view"}}, {Types: []string{"purchase"}}, {Types: []string{"view"}, Where: []feature.Condition{
		{Field: "price", Op: feature.Ge, Values: []feature.Literal{{Number: 20}}},
	}}}
	windows := []feature.Window{ // as seldom short ones as the default catalogue has
		30 * feature.Day, 7 * feature.Day, feature.Day, 30 * feature.Day, 90 * feature.Day, 7 * feature.Day, 365 * feature.Day, feature.Hour, 30 * feature.Day,
	}
	for i := range n {
		d := feature.Definition{
			Name: fmt.Sprint("f", i), Entity: feature.User, Aggregate: aggregates[i%len(aggregates)],
			From: filters[i/len(aggregates)%len(filters)], Window: windows[i%len(windows)],
		}
		switch d.Aggregate {
		case feature.Sum, feature.Mean, feature.Min, feature.Max, feature.DecayedSum:
			d.Of = "price"
		case feature.First, feature.Last, feature.Distinct, feature.TopK:
			d.Of = []string{"category", "item_id", "type"}[i/len(aggregates)%3]
		case feature.LastN:
			d.Of = feature.Interaction
		case feature.Histogram:
			d.Of, d.Bounds = "price", []float64{5, 10, 20, 50, 100}
		case feature.Ratio:
			d.Numerator = &feature.Filter{Types: []string{"purchase"}}
		}
		switch d.Aggregate {
		case feature.LastN, feature.TopK:
			d.N = 10
		case feature.Distinct:
			d.Precision = 11
		case feature.DecayedSum, feature.DecayedCount:
			d.HalfLife = 3 * feature.Day
		}
		if d.Aggregate.Grouped() && i%4 == 0 {
			d.By = "category"
		}
		c.Features = append(c.Features, d)
	}
	return c
}

// shopper makes events as a shop's user does: mostly views, of items that recur, in 8 categories.
type shopper struct{ *rand.Rand }

func newShopper() shopper { return shopper{rand.New(rand.NewPCG(1, 2))} }

func (r shopper) event(i int, at int64) event.Event {
	item := int(float64(2000) * r.Float64() * r.Float64() * r.Float64())
	category, price := fmt.Sprintf("category-%d", item%8), float64(item%150)+0.99
	e := event.Event{
		ID: fmt.Sprintf("01J8%022d", i), UserID: "user-1", ItemID: fmt.Sprintf("item-%05d", item), Type: "view", Time: event.Millis(at),
		SessionID: fmt.Sprintf("session-%d", at/(30*minute)), Stamp: &event.Stamp{Category: &category, Price: &price},
		Context: map[string]string{"device": []string{"ios", "web"}[item%2]},
	}
	switch r.IntN(20) {
	case 0:
		e.Type = "purchase"
		e.Value = &price
	case 1, 2:
		e.Type = "cart"
	case 3:
		stars := float64(1 + item%5)
		e.Type, e.Value = "rating", &stars
	}
	return e
}

// history returns the encoded view of a user of 30 days with 20 events a day, and a live state with
// one open epoch of 1,000 events of today, which at spreads over the day.
func history(p *tile.Plan, at func(i int64) int64) (view, state []byte) {
	r := newShopper()
	b, s := p.NewBucket(), &tile.State{Next: 1000}
	var row tile.Row
	for i := range 600 {
		e := r.event(i, base-30*day+int64(i)*day/20)
		p.Fill(&row, &e, int64(i))
		p.UpdateSince(b, &row, now)
	}
	for i := range 1000 {
		e := r.event(3000+i, base+at(int64(i)))
		s.Recent.Seen(tile.HashID(e.ID), 1)
		p.Fill(&row, &e, int64(3000+i))
		p.Apply(s, &row, 1)
	}
	p.Prune(s.Epochs[0].Bucket, now-int64(feature.Hour)) // as the stream layer does
	c := p.NewCodec()
	return c.AppendView(nil, b), c.AppendState(nil, s)
}

// evenly acts every 86 seconds, day and night; inSessions acts every 20 seconds, 50 times in a row, 20
// times a day.
func evenly(i int64) int64     { return i * day / 1000 }
func inSessions(i int64) int64 { return i/50*day/20 + i%50*minute/3 }

// joined returns a function that reads every feature of a user.
func joined(t testing.TB, c feature.Catalogue) (read func() []agg.Value, viewBytes, stateBytes int) {
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	view, state := history(p, inSessions)
	r := p.NewReader()
	return func() []agg.Value {
		r.Begin(now)
		if _, err := r.AddState(state, 1); err != nil {
			t.Fatal(err)
		}
		if err := r.AddView(view); err != nil { // last: lists that are full of live events leave it alone
			t.Fatal(err)
		}
		return r.Values()
	}, len(view), len(state)
}

func benchmarkRead(b *testing.B, c feature.Catalogue) {
	read, view, state := joined(b, c)
	b.ReportAllocs()
	for b.Loop() {
		read()
	}
	b.ReportMetric(float64(view), "view-B")
	b.ReportMetric(float64(state), "state-B")
}

// BenchmarkRead50 and BenchmarkRead250 read features as the default catalogue mixes them, with more
// windows: at most 20 µs and 80 µs, and 2 allocations.
func BenchmarkRead50(b *testing.B)  { benchmarkRead(b, widened(b, 50)) }
func BenchmarkRead250(b *testing.B) { benchmarkRead(b, widened(b, 250)) }

// BenchmarkReadMixture50 and BenchmarkReadMixture250 read as many sketches, lists and top lists as they
// do counts.
func BenchmarkReadMixture50(b *testing.B)  { benchmarkRead(b, mixture(50)) }
func BenchmarkReadMixture250(b *testing.B) { benchmarkRead(b, mixture(250)) }

// widened returns n user features: those of the default catalogue, then the same ones with other
// windows.
func widened(t testing.TB, n int) feature.Catalogue {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	users := c.Of(feature.User)
	out := feature.Catalogue{Fields: c.Fields}
	for i := range n {
		d := users[i%len(users)]
		if round := i / len(users); round > 0 {
			d.Name = fmt.Sprintf("%s_%d", d.Name, round)
			d.Window = []feature.Window{3, 14, 60, 180, 2, 21, 45, 10}[round-1] * feature.Day
		}
		out.Features = append(out.Features, d)
	}
	return out
}

// TestReadAllocates: a read uses its memory again.
func TestReadAllocates(t *testing.T) {
	for n, c := range map[int]feature.Catalogue{50: mixture(50), 250: widened(t, 250)} {
		read, _, _ := joined(t, c)
		for i, v := range read() {
			if v.IsNull() && c.Features[i].Window > 30*feature.Day {
				t.Errorf("%s of %d has no answer, so reading it is not tested", c.Features[i].Name, n)
			}
		}
		if got := testing.AllocsPerRun(20, func() { read() }); got > 2 {
			t.Errorf("reading %d features allocates %v times, at most 2 are accepted", n, got)
		}
	}
}

// TestStateBytes holds the live state of a user after 1,000 events in one epoch of a day, 128 recent
// ids included, to 3 KiB; -v prints what each series takes.
func TestStateBytes(t *testing.T) {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	p, err := tile.Compile(c, feature.User)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]func(int64) int64{"evenly": evenly, "in sessions": inSessions} {
		_, state := history(p, at)
		t.Logf("%s: %d bytes", name, len(state))
		if len(state) > 3<<10 {
			t.Errorf("%s: %d bytes, at most %d are accepted", name, len(state), 3<<10)
		}
		bySeries(t, p, state)
	}
}

// bySeries logs what each series of a state takes.
func bySeries(t *testing.T, p *tile.Plan, state []byte) {
	s, err := p.DecodeState(state)
	if err != nil {
		t.Fatal(err)
	}
	codec := p.NewCodec()
	only := *s
	size := func(b tile.Bucket) int {
		only.Epochs = []tile.EpochBucket{{Epoch: s.Epochs[0].Epoch, Bucket: b}}
		return len(codec.AppendState(nil, &only))
	}
	least := size(p.NewBucket())
	t.Logf("%5d bytes without any series: %d recent ids", least, s.Recent.Len())
	for i, series := range s.Epochs[0].Bucket {
		b := p.NewBucket()
		b[i] = series
		t.Logf("%5d bytes, alone with its texts: %v", size(b)-least, names(p, i))
	}
}

// names lists the features of a series.
func names(p *tile.Plan, series int) (out []string) {
	for _, f := range p.Features {
		if f.Series == series {
			out = append(out, f.Def.Name)
		}
	}
	return out
}
