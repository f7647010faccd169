package batchtest

import (
	"math/rand/v2"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// Night is a mark that has been written.
type Night struct {
	Mark model.Mark // its label is the instant that views are made as of
	Cut  model.Cut
	Last bool // the log ends here
}

// AsOf is the instant that views are made as of, Unix ms.
func (n Night) AsOf() int64 { return n.Mark.Label.UnixMilli() }

// Play writes a case's log to an empty world: the imports, then one epoch after the other, each closed by a
// mark, after which it calls night. Positions are the world's, since a user's partition follows from their
// id; invalid records lie between. The last label is the case's AsOf.
func (w *World) Play(c gen.Case, r *rand.Rand, night func(Night)) {
	w.t.Helper()
	w.Partitions = 1 + r.Int32N(w.Partitions)
	w.ObjectRows = 1 + r.IntN(60)
	log := w.playImports(c.Log)
	last := int64(r.IntN(2)) // where there are no events, at times, too
	if len(log) > 0 {
		last += log[len(log)-1].Epoch
	}
	step := []time.Duration{2 * time.Minute, time.Hour, 24 * time.Hour, 40 * 24 * time.Hour}[r.IntN(4)]
	for epoch := range last + 1 {
		for len(log) > 0 && log[0].Epoch == epoch {
			if r.IntN(20) == 0 {
				w.Reject(r.Int32N(w.Partitions))
			}
			w.AppendAt(log[0].Event, event.Millis(log[0].LogTime))
			log = log[1:]
		}
		mark, cut := w.Mark(time.UnixMilli(c.AsOf).Add(-time.Duration(last-epoch) * step))
		night(Night{Mark: mark, Cut: cut, Last: epoch == last})
	}
}

// playImports imports what comes before epoch 0, in its files, and returns the rest.
func (w *World) playImports(log []oracle.Record) []oracle.Record {
	w.t.Helper()
	var files [2][]event.Event
	for len(log) > 0 && log[0].Epoch < 0 {
		i := log[0].Seq >> 40 & 1
		files[i] = append(files[i], log[0].Event)
		log = log[1:]
	}
	for _, events := range files {
		if len(events) > 0 {
			w.Import(events)
		}
	}
	return log
}

// Records returns the valid records up to the last mark as the oracle takes them.
func (w *World) Records() []oracle.Record {
	out := make([]oracle.Record, len(w.Log))
	for i, l := range w.Log {
		out[i] = oracle.Record{Event: l.Event, Epoch: l.Epoch, Seq: l.Seq, LogTime: l.Log}
	}
	return out
}
