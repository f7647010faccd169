package asof_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/batch/asof"
	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

var day0 = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)

// world is an archive with imports, two closed epochs and events that were logged late, early, twice and
// out of order.
func world(t testing.TB, seed uint64) *batchtest.World {
	w := batchtest.New(t)
	shop := batchtest.NewShop(seed, 4, 10)
	rng := rand.New(rand.NewPCG(seed, 1))
	w.Import(shop.Events(40, day0, 5*24*time.Hour))
	for epoch := range 2 {
		end := day0.Add(time.Duration(epoch+1) * 24 * time.Hour)
		events := shop.Events(60, end, 24*time.Hour)
		for i, e := range events {
			if i > 5 && rng.IntN(6) == 0 {
				e.ID, e.UserID = events[i-3].ID, events[i-3].UserID
			}
			log := e.Time
			switch rng.IntN(4) {
			case 0: // late
				e.Time -= event.Millis(rng.Int64N(int64(3 * 24 * time.Hour / time.Millisecond)))
			case 1: // the producer's clock is ahead
				e.Time += event.Millis(rng.Int64N(event.MaxClockSkew))
			case 2: // the log's clock jumps
				log += event.Millis(rng.Int64N(7_200_000))
			}
			w.AppendAt(e, log)
		}
		w.Mark(end)
	}
	return w
}

// TestAsOfEqualsOracle compares answers at random instants with the naive oracle over the records that had
// been logged, and had happened, by then.
func TestAsOfEqualsOracle(t *testing.T) {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		w := world(t, seed)
		var times []int64
		for range 4 {
			times = append(times, day0.Add(time.Duration(rapid.Int64Range(int64(-6*24*time.Hour), int64(3*24*time.Hour)).Draw(rt, "t"))).UnixMilli())
		}
		for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			members := []string{"u0", "u1", "u3", "nobody"}
			switch e {
			case feature.Item:
				members = []string{"i0", "i5", "nothing"}
			case feature.Global:
				members = []string{feature.GlobalID}
			}
			h, err := asof.Load(t.Context(), w.Bucket, c, e, members, slices.Max(times))
			if err != nil {
				rt.Fatal(err)
			}
			for _, at := range times {
				for _, m := range members {
					if err := compare(h, c, e, w.Log, m, at); err != nil {
						rt.Fatalf("seed %d, %s %s at %s: %v", seed, e, m, event.Millis(at), err)
					}
				}
			}
		}
	})
}

func compare(h *asof.History, c feature.Catalogue, e feature.Entity, log []batchtest.Logged, member string, at int64) error {
	var known []oracle.Record
	for _, l := range log {
		if l.Log <= at {
			known = append(known, oracle.Record{Event: l.Event, Epoch: l.Epoch, Seq: l.Seq, LogTime: l.Log})
		}
	}
	happened := slices.DeleteFunc(oracle.Distinct(known), func(r oracle.Record) bool { return int64(r.Event.Time) > at })
	values, err := h.At(member, at)
	if err != nil {
		return err
	}
	for i, d := range c.Of(e) {
		if err := oracle.Answer(c, d, oracle.Of(e, member, happened), at).Check(values[i]); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return nil
}

// TestOpenEpochIsRead reads what no mark has closed yet.
func TestOpenEpochIsRead(t *testing.T) {
	w := world(t, 1)
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: "last", UserID: "u0", ItemID: "i1", Type: "view", Time: event.MillisOf(day0.Add(49 * time.Hour))}
	w.Append(e)
	w.Archive()
	h, err := asof.Load(t.Context(), w.Bucket, c, feature.User, []string{"u0"}, int64(e.Time)+1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		at   int64
		want bool
	}{{int64(e.Time) - 1, false}, {int64(e.Time), true}} {
		values, err := h.At("u0", x.at)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := values[h.Plan().Feature("last_seen")].Int64()
		if (got == int64(e.Time)) != x.want {
			t.Errorf("at %d: last seen %d, the open epoch's event is at %d", x.at, got, e.Time)
		}
	}
}
