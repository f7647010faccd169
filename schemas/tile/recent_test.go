package tile_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// TestRecentFollowsTheRule compares the ring with the oracle on logs longer than the ring, sent through
// its encoding now and then.
func TestRecentFollowsTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []oracle.Record
		var got []bool
		var r tile.Recent
		epoch := rapid.Int64Range(-3, 1).Draw(t, "first epoch")
		ids := rapid.SampledFrom([]int{3, 120, 135, 300}).Draw(t, "ids")
		marks := rapid.SampledFrom([]int{30, 100, 400}).Draw(t, "records an epoch")
		for i := range rapid.IntRange(1, 600).Draw(t, "records") {
			if rapid.IntRange(0, marks).Draw(t, "mark") == 0 {
				epoch += rapid.Int64Range(1, 2).Draw(t, "epochs on")
			}
			id := fmt.Sprint(rapid.IntRange(0, ids).Draw(t, "id"))
			if back := rapid.IntRange(0, 200).Draw(t, "back"); back > 0 && back <= len(log) {
				id = log[len(log)-back].Event.ID
			}
			log = append(log, oracle.Record{Event: event.Event{ID: id, UserID: "u"}, Epoch: epoch, Seq: int64(i)})
			got = append(got, r.Seen(tile.HashID(id), epoch))
			if i%7 == 0 {
				d := agg.Decoder{B: r.Append(nil)}
				if r.Read(&d); d.Err != nil || len(d.B) > 0 {
					t.Fatalf("record %d: %d bytes left, error %v", i, len(d.B), d.Err)
				}
			}
		}
		distinct := oracle.Distinct(log)
		for i, l := range log {
			if first := len(distinct) > 0 && distinct[0].Seq == l.Seq; first == got[i] {
				t.Fatalf("record %d, id %s of epoch %d: duplicate %v, the rule says %v", i, l.Event.ID, l.Epoch, got[i], !first)
			} else if first {
				distinct = distinct[1:]
			}
		}
	})
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
