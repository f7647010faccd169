package differential

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/stream/live"
)

// topic is the stored live state of each partition, by key suffix.
type topic []map[string][]byte

// states returns what is stored of a member.
func (p topic) states(e feature.Entity, id string) (out [][]byte) {
	suffix := map[feature.Entity]string{feature.User: "u:" + id, feature.Item: "i:" + id, feature.Global: "g"}[e]
	for _, blobs := range p {
		out = append(out, blobs[suffix])
	}
	return out
}

// newTopic plays the log that the archive holds into live state.
func newTopic(t *testing.T, w *batchtest.World, c gen.Case, r *rand.Rand, nights []night) topic {
	t.Helper()
	out := make(topic, w.Partitions)
	for p := range w.Partitions {
		e, err := live.NewEngine(c.Catalogue, p, w.Partitions)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = map[string][]byte{}
		oldest := []int64{0, c.At}[r.IntN(2)] // nobody reads before
		play(t, e, r, recordsOf(t, w, p, nights), out[p], oldest)
	}
	return out
}

// recordsOf returns the records of a partition up to the last mark. What is neither an event nor a mark there
// is invalid.
func recordsOf(t *testing.T, w *batchtest.World, p int32, nights []night) []live.Record {
	t.Helper()
	var out []live.Record
	garbage := func(until int64) {
		for int64(len(out)) < until {
			out = append(out, live.Record{Offset: int64(len(out)), Value: []byte("{\xff")})
		}
	}
	mark := func(n night) {
		garbage(n.Cut[p])
		out = append(out, live.Record{Offset: n.Cut[p], IsMark: true, Mark: n.Mark.N})
	}
	events := slices.Clone(w.Log)
	for _, n := range nights {
		for ; len(events) > 0 && events[0].Epoch < n.Mark.N; events = events[1:] {
			x := &events[0]
			if x.Epoch < 0 || event.PartitionOf([]byte(x.Event.UserID), w.Partitions) != p {
				continue
			}
			value, err := x.Event.Encode()
			if err != nil {
				t.Fatal(err)
			}
			garbage(x.Seq - tile.Seq(p, 0))
			out = append(out, live.Record{
				Offset: int64(len(out)), Key: []byte(x.Event.UserID), Value: value, LogTime: event.Millis(x.Log),
			})
		}
		mark(n)
	}
	return out
}

// play applies the records of a partition in batches of any size.
func play(t *testing.T, e *live.Engine, r *rand.Rand, records []live.Record, blobs map[string][]byte, oldest int64) {
	t.Helper()
	fence, size := live.Fence{}, 1+r.IntN(100)
	for int(fence.Next) < len(records) {
		end := min(len(records), int(fence.Next)+1+r.IntN(size))
		batch := e.Judge(fence, records[fence.Next:end])
		var states [][]byte
		for _, suffix := range batch.Touched {
			states = append(states, blobs[suffix])
		}
		result, err := e.Apply(fence, &batch, states, oldest)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range result.Blobs {
			blobs[b.Suffix] = bytes.Clone(b.Value)
		}
		fence = batch.Next
	}
}
