package live

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	naive "github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gentest"
)

// TestDefinitions runs random definitions over random logs, in batches of any size and with caches that
// forget, and compares every feature of every member, read from the stored states of all partitions,
// with the oracle.
func TestDefinitions(t *testing.T) {
	gentest.Run(t, 2000, func(t *testing.T, c gen.Case, r *rand.Rand) {
		topic, log := newTopic(t, c, r)
		read := []int64{0, c.Cut} // from these epochs on
		base := int64(0)
		if r.IntN(2) == 0 { // a floor rises up to the cut on the way
			base = r.Int64N(c.Cut + 1)
			read[0] = base
		}
		for _, w := range topic {
			w.play(t, c, r, base)
		}
		distinct := naive.Distinct(log)
		for _, cut := range read {
			compareLive(t, c, topic, distinct, cut)
		}
	})
}

// newTopic writes the live records of a case to the partitions of a topic, with marks, stray ones too, and
// what is no event; log are the valid ones with their positions.
func newTopic(t *testing.T, c gen.Case, r *rand.Rand) (topic []*world, log []naive.Record) {
	t.Helper()
	partitions := 1 + r.Int32N(3)
	for p := range partitions {
		e, err := NewEngine(c.Catalogue, p, partitions)
		if err != nil {
			t.Fatal(err)
		}
		topic = append(topic, &world{
			catalogue: c.Catalogue, engine: e, blobs: map[string][]byte{}, now: event.Millis(c.AsOf),
			plans: map[feature.Entity]*tile.Plan{feature.User: e.user, feature.Item: e.item, feature.Global: e.global},
		})
	}
	epochs := make([]int64, partitions)
	for _, x := range c.Log {
		if x.Epoch < 0 {
			continue // imports are never live
		}
		p := event.PartitionOf([]byte(x.Event.UserID), partitions)
		w := topic[p]
		for ; epochs[p] < x.Epoch; epochs[p]++ {
			w.mark(epochs[p] + 1)
		}
		switch r.IntN(30) {
		case 0:
			w.garbage("not an event")
		case 1:
			w.control()
		case 2:
			w.mark(epochs[p] + []int64{-1, 0, 2, 7}[r.IntN(4)])
		}
		w.now = event.Millis(x.LogTime)
		x.Seq = tile.Seq(p, int64(len(w.records)))
		if err := w.produce(x.Event); err != nil {
			t.Fatal(err)
		}
		log = append(log, x)
	}
	return topic, log
}

// play applies all records of a partition as an owner does: states are cached or stored, batches that are
// not stored come again. The base rises at some point.
func (w *world) play(t *testing.T, c gen.Case, r *rand.Rand, base int64) {
	t.Helper()
	size, kept := 1+r.IntN(80), newCache(r.IntN(12_000))
	oldest := []int64{0, c.AsOf}[r.IntN(2)]
	for int(w.fence.Next) < len(w.records) {
		from := w.fence
		if r.IntN(4) == 0 {
			from.Base = base
		}
		if r.IntN(8) == 0 {
			kept.clear()
		}
		end := min(len(w.records), int(from.Next)+1+r.IntN(size))
		batch := w.engine.Judge(from, w.records[from.Next:end])
		states := w.states(batch.Touched, kept)
		result, err := w.engine.Apply(from, &batch, states, oldest)
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(10) == 0 { // it is not stored
			kept.clear()
			continue
		}
		for _, b := range result.Blobs {
			w.blobs[b.Suffix] = bytes.Clone(b.Value)
			kept.put(b.Suffix, b.Value)
		}
		w.fence = batch.Next
	}
}

// states returns the states that a batch needs, cached or stored.
func (w *world) states(touched []string, kept *cache) [][]byte {
	states := make([][]byte, len(touched))
	for i, suffix := range touched {
		var ok bool
		if states[i], ok = kept.get(suffix); !ok {
			states[i] = w.blobs[suffix]
		}
	}
	return states
}

// compareLive compares every feature of every member, over epochs ≥ cut, with the oracle.
func compareLive(t *testing.T, c gen.Case, topic []*world, distinct []naive.Record, cut int64) {
	t.Helper()
	var in []naive.Record
	for _, x := range distinct {
		if x.Epoch >= cut {
			in = append(in, x)
		}
	}
	for entity, plan := range topic[0].plans {
		reader := plan.NewReader() // one for all members: nothing may be left of the one before
		for _, id := range append(naive.Members(entity, distinct), "nobody") {
			values, err := readLive(reader, topic, suffixOf(entity, id), cut, c.At)
			if err != nil {
				t.Fatalf("%s %s: %v", entity, id, err)
			}
			of := naive.Of(entity, id, in)
			for i, f := range plan.Features {
				if err := naive.Answer(c.Catalogue, f.Def, of, c.At).Check(values[i]); err != nil {
					t.Fatalf("%s %s at %d, epochs from %d on: %v\n%+v", entity, id, c.At, cut, err, f.Def)
				}
			}
		}
	}
}

func suffixOf(e feature.Entity, id string) string {
	switch {
	case e == feature.User:
		return userSuffix(id)
	case e == feature.Item:
		return itemSuffix(id)
	case id == feature.GlobalID:
		return globalSuffix
	}
	return "of nobody"
}

// readLive joins the stored states of a member.
func readLive(r *tile.Reader, topic []*world, suffix string, cut, t int64) ([]agg.Value, error) {
	r.Begin(t)
	var errs []error
	for _, w := range topic {
		_, err := r.AddState(w.blobs[suffix], cut)
		errs = append(errs, err)
	}
	return r.Values(), errors.Join(errs...)
}
