// Package batchtest builds raw archives for tests of the batch layer: imports, epochs and marks as the
// archive and the import command leave them in a bucket, together with the list of everything that
// was written, for an oracle to recount.
package batchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// TopicID is the topic of every world.
const TopicID = "000102030405060708090a0b0c0d0e0f"

// Logged is a valid record with its place.
type Logged struct {
	Event event.Event
	Epoch int64 // as batch numbers them: negative for imports
	Seq   int64
	Date  int32 // of the warehouse partition
	Log   int64 // instant at which it was logged, Unix ms
}

// World is a bucket with a log that grows.
type World struct {
	t          testing.TB
	Bucket     *bucket.Bucket
	Partitions int32
	ObjectRows int // rows of an archive object at most

	Labels   []time.Time // of the marks so far, by the epoch that each closed
	Log      []Logged    // valid records in the order in which batch reads a user's
	Rejected int64

	epoch     int64
	start     model.Cut // of the open epoch
	next      model.Cut
	open      []event.Raw
	openValid []Logged
	imports   []pending
}

type pending struct {
	sha    string
	events []event.Event
}

// New returns an empty world with four partitions.
func New(t testing.TB) *World {
	t.Helper()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, Bucket: b, Partitions: 4, ObjectRows: 1000, start: model.Cut{}, next: model.Cut{}}
	for p := range w.Partitions {
		w.start[p], w.next[p] = 0, 0
	}
	return w
}

func (w *World) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Import writes events as one imported file. Call it before Mark.
func (w *World) Import(events []event.Event) string {
	w.t.Helper()
	sha := model.SHA256Hex(fmt.Appendf(nil, "import %d", len(w.imports)))
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b event.Event) int { return int(dayOf(a.Time) - dayOf(b.Time)) })
	im := model.Import{SHA256: sha, Format: "test", Rows: int64(len(events))}
	var rows []event.Raw
	flush := func() {
		if len(rows) == 0 {
			return
		}
		day := event.Millis(*rows[0].EventTime).Time().Format(time.DateOnly)
		data, err := rawparquet.Encode(rows, rawparquet.SpanOf(sha, 0, 0, 0, im.Rows, len(rows)).Meta())
		w.check(err)
		sum := model.SHA256Hex(data)
		o := model.ImportObject{Key: model.ImportPartKey(sha, day, 0, sum), Day: day, Rows: int64(len(rows)), Bytes: int64(len(data)), SHA256: sum}
		_, err = w.Bucket.PutIfAbsent(context.Background(), o.Key, data)
		w.check(err)
		im.Objects = append(im.Objects, o)
		rows = nil
	}
	for i := range events {
		e := &events[i]
		if i > 0 && dayOf(e.Time) != dayOf(events[i-1].Time) {
			flush()
		}
		r, err := event.RawEvent(event.Position{TopicID: sha, Offset: int64(i)}, e.Time, e)
		w.check(err)
		rows = append(rows, r)
	}
	flush()
	_, err := w.Bucket.PutJSONIfAbsent(context.Background(), model.ImportKey(sha), im)
	w.check(err)
	w.imports = append(w.imports, pending{sha, events})
	return sha
}

// imported returns the records of all imports in reading order.
func (w *World) imported() []Logged {
	slices.SortFunc(w.imports, func(a, b pending) int { return strings.Compare(a.sha, b.sha) })
	var out []Logged
	for n, im := range w.imports {
		for i, e := range im.events {
			out = append(out, Logged{Event: e, Epoch: -1<<32 + int64(dayOf(e.Time)), Seq: tile.ImportSeq(n, int64(i)), Date: dayOf(e.Time), Log: int64(e.Time)})
		}
	}
	slices.SortStableFunc(out, func(a, b Logged) int { return int(a.Epoch - b.Epoch) })
	return out
}

func dayOf(m event.Millis) int32 { return int32(int64(m) / 86_400_000) }

// Append writes an event to the log of its user's partition, as it happened.
func (w *World) Append(e event.Event) { w.AppendAt(e, e.Time) }

// AppendAt is Append of an event that was logged at another instant.
func (w *World) AppendAt(e event.Event, log event.Millis) {
	w.t.Helper()
	p := event.PartitionOf([]byte(e.UserID), w.Partitions)
	at := event.Position{TopicID: TopicID, Partition: p, Offset: w.next[p]}
	r, err := event.RawEvent(at, log, &e)
	w.check(err)
	w.openValid = append(w.openValid, Logged{Event: e, Epoch: w.epoch, Seq: tile.Seq(p, at.Offset), Log: int64(log)})
	w.open = append(w.open, r)
	w.next[p]++
}

// Reject writes an invalid record to a partition.
func (w *World) Reject(p int32) {
	at := event.Position{TopicID: TopicID, Partition: p, Offset: w.next[p]}
	w.open = append(w.open, event.RawRejected(at, event.Record{LogTime: 1e12, Value: []byte("{\xff")}, &event.Rejection{Reason: event.ReasonMalformed}))
	w.next[p]++
	w.Rejected++
}

// Mark closes the epoch: it writes the archive's objects, the index and the mark's object.
func (w *World) Mark(label time.Time) (model.Mark, model.Cut) {
	w.t.Helper()
	ctx := context.Background()
	x := model.Index{Epoch: w.epoch, TopicID: TopicID}
	cut := model.Cut{}
	for p := range w.Partitions {
		w.flush(&x, p)
		x.SetEnd(p, w.next[p])
		cut[p] = w.next[p]
	}
	_, err := w.Bucket.PutJSONIfAbsent(ctx, model.IndexKey(w.epoch), x)
	w.check(err)
	w.epoch++
	w.Labels = append(w.Labels, label)
	m := model.Mark{N: w.epoch, Label: label.UTC(), Start: label.Add(time.Minute).UTC()}
	_, err = w.Bucket.PutJSONIfAbsent(ctx, model.MarkKey(m.N), m)
	w.check(err)
	if w.epoch == 1 {
		w.Log = w.imported()
	}
	for _, l := range w.openValid {
		l.Date = dayOf(event.MillisOf(label.Add(-time.Nanosecond)))
		w.Log = append(w.Log, l)
	}
	w.open, w.openValid = nil, nil
	for p := range w.Partitions {
		w.start[p] = w.next[p]
		w.next[p]++ // the mark's own record
	}
	return m, cut
}

// Archive writes what the open epoch holds so far, as the archiver does between two marks. The world takes
// no further records after it.
func (w *World) Archive() {
	w.t.Helper()
	x := model.Index{Epoch: w.epoch, TopicID: TopicID}
	for p := range w.Partitions {
		w.flush(&x, p)
	}
	_, err := w.Bucket.PutJSONIfAbsent(context.Background(), model.IndexKey(w.epoch), x)
	w.check(err)
}

// flush writes the objects of one partition of the open epoch.
func (w *World) flush(x *model.Index, p int32) {
	w.t.Helper()
	var rows []event.Raw
	for _, r := range w.open {
		if r.Partition == p {
			rows = append(rows, r)
		}
	}
	if w.next[p] == w.start[p] {
		return
	}
	first := w.start[p]
	for part := range slices.Chunk(rows, w.ObjectRows) {
		w.object(x, p, first, part[len(part)-1].Offset+1, part)
		first = part[len(part)-1].Offset + 1
	}
	if first < w.next[p] { // only the mark
		w.object(x, p, first, w.next[p], nil)
	}
}

func (w *World) object(x *model.Index, p int32, first, end int64, rows []event.Raw) {
	w.t.Helper()
	data, err := rawparquet.Encode(rows, rawparquet.SpanOf(TopicID, p, w.epoch, first, end, len(rows)).Meta())
	w.check(err)
	o := model.Object{
		Key: model.RawKey(TopicID, w.epoch, p, first), Partition: p, First: first, End: end,
		Rows: int64(len(rows)), Bytes: int64(len(data)), SHA256: model.SHA256Hex(data),
	}
	_, err = w.Bucket.PutIfAbsent(context.Background(), o.Key, data)
	w.check(err)
	x.Add(o)
}
