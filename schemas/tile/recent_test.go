package tile_test

import (
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// TestRecentFollowsTheRule compares the ring with the oracle on logs longer than the ring, sent through
// its encoding now and then.
func TestRecentFollowsTheRule(t *testing.T) {
	for seed := range uint64(400) {
		g := gen.New(seed)
		epoch, marks, fresh := g.Int64N(4)-3, []int{3, 50, 100, 200}[g.IntN(4)], []int{5, 120, 135, 1 << 30}[g.IntN(4)]
		var log []oracle.Record
		var got []bool
		var r tile.Recent
		for i := range g.IntN(600) {
			if g.IntN(marks) == 0 {
				epoch += 1 + g.Int64N(5)/4
			}
			id := fmt.Sprint(g.IntN(fresh))
			if back := 1 + g.IntN(200); g.IntN(3) == 0 && back <= len(log) {
				id = log[len(log)-back].Event.ID
			}
			log = append(log, oracle.Record{Event: event.Event{ID: id, UserID: "u"}, Epoch: epoch, Seq: int64(i)})
			got = append(got, r.Seen(tile.HashID(id), epoch))
			if i%7 == 0 {
				d := agg.Decoder{B: r.Append(nil)}
				if r.Read(&d); d.Err != nil || len(d.B) > 0 {
					t.Fatalf("seed %d, record %d: %d bytes left, error %v", seed, i, len(d.B), d.Err)
				}
			}
		}
		distinct := oracle.Distinct(log)
		for i, l := range log {
			first := len(distinct) > 0 && distinct[0].Seq == l.Seq
			if first == got[i] {
				t.Fatalf("seed %d, record %d, id %s of epoch %d: duplicate %v, the rule says %v", seed, i, l.Event.ID, l.Epoch, got[i], !first)
			}
			if first {
				distinct = distinct[1:]
			}
		}
	}
}

// TestRecentForgetsEarly: ids that can no longer count are gone as soon as the epoch is known.
func TestRecentForgetsEarly(t *testing.T) {
	var r tile.Recent
	for i := range 200 {
		r.Seen(uint64(i), 5)
	}
	for _, step := range []struct{ epoch, kept int }{{5, 128}, {6, 128}, {7, 0}} {
		if r.Enter(int64(step.epoch)); r.Len() != step.kept {
			t.Errorf("entering epoch %d: %d ids are kept, want %d", step.epoch, r.Len(), step.kept)
		}
	}
}
