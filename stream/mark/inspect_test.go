package mark_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/mark"
)

// brief is how a mark lies, for comparison: the number, the partitions that count it, those that lack it.
func brief(placed []mark.Placed) []string {
	var all []string
	for _, p := range placed {
		var at []int32
		for n := range p.At {
			at = append(at, n)
		}
		slices.Sort(at)
		all = append(all, fmt.Sprint(p.N, " in ", at, " not in ", p.Missing))
	}
	return all
}

func (w *world) inspect() []mark.Placed {
	w.t.Helper()
	placed, err := w.closer.Inspect(w.t.Context())
	must(w.t, err)
	return placed
}

// TestInspect says where marks lie before and after the archive has reached them, and which are written
// by halves.
func TestInspect(t *testing.T) {
	w := newWorld(t)
	if placed := w.inspect(); len(placed) != 0 {
		t.Errorf("there is no mark, found %v", placed)
	}
	w.produce(10)
	ends, err := kafka.EndOffsets(t.Context(), w.client, "events")
	must(t, err)
	m, err := w.closer.Write(t.Context(), date(10))
	must(t, err)
	want := []mark.Placed{{Mark: m, At: model.Cut(ends)}}
	if d := cmp.Diff(want, w.inspect()); d != "" {
		t.Errorf("before the archive: %s", d)
	}
	_, err = w.closer.Write(t.Context(), date(10)) // again
	must(t, err)
	_, err = w.bucket.PutJSONIfAbsent(t.Context(), model.MarkKey(2), model.Mark{N: 2, Label: date(11), Start: now})
	must(t, err)
	_, err = kafka.WriteMark(t.Context(), w.client, "events", 1, 2, []byte("{}"))
	must(t, err)
	if d := cmp.Diff([]string{"1 in [0 1 2] not in []", "2 in [1] not in [0 2]"}, brief(w.inspect())); d != "" {
		t.Error(d)
	}
	w.archive()
	_, cut, err := w.closer.Close(t.Context(), date(10))
	must(t, err)
	placed := w.inspect()
	if d := cmp.Diff(cut, placed[0].At); d != "" || !placed[0].Archived || placed[1].Archived {
		t.Errorf("after the archive: %+v %s", placed, d)
	}
	_, err = w.closer.Write(t.Context(), date(12))
	must(t, err)
	if d := cmp.Diff([]string{"1 in [0 1 2] not in []", "2 in [0 1 2] not in []", "3 in [0 1 2] not in []"}, brief(w.inspect())); d != "" {
		t.Error(d)
	}
}

// TestMarkerDiesBetweenPartitions lets Kafka have a marker's record of one partition only and kills the
// marker. Another one completes its work, in order, and the epochs of all partitions are the same.
func TestMarkerDiesBetweenPartitions(t *testing.T) {
	for survives := range int32(partitions) {
		w := newWorld(t)
		w.produce(10)
		ctx, die := context.WithCancel(t.Context())
		reached := false
		var dead atomic.Bool // and what it may have sent at last has arrived
		w.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
			if dead.Load() {
				return nil, nil, false // the next marker
			}
			w.cluster.KeepControl()
			topic := &r.(*kmsg.ProduceRequest).Topics[0]
			topic.Partitions = slices.DeleteFunc(topic.Partitions, func(p kmsg.ProduceRequestTopicPartition) bool {
				return p.Partition != survives
			})
			reached = reached || len(topic.Partitions) > 0
			if reached {
				time.AfterFunc(20*time.Millisecond, die) // after Kafka has taken it
			}
			return nil, nil, false
		})
		dying := w.closer
		dying.Client = append(slices.Clone(dying.Client), kgo.AllowIdempotentProduceCancellation())
		if _, err := dying.Write(ctx, date(10)); err == nil {
			t.Fatal("the marker lives")
		}
		<-ctx.Done()
		half := fmt.Sprintf("1 in [%d] not in %v", survives, slices.DeleteFunc([]int32{0, 1, 2}, func(p int32) bool { return p == survives }))
		if d := cmp.Diff([]string{half}, brief(w.inspect())); d != "" {
			t.Fatal(d)
		}
		dead.Store(true)
		w.produce(3) // in epoch 1 where the mark is, in epoch 0 elsewhere
		w.archive()
		m, cut, err := w.closer.Close(t.Context(), date(11))
		must(t, err)
		placed := w.inspect()
		if d := cmp.Diff([]string{"1 in [0 1 2] not in []", "2 in [0 1 2] not in []"}, brief(placed)); d != "" || m.N != 2 {
			t.Errorf("mark %d: %s", m.N, d)
		}
		if d := cmp.Diff(cut, placed[1].At); d != "" {
			t.Error(d)
		}
		for p, found := range w.marks() {
			if len(found) != 2 {
				t.Errorf("partition %d has the mark records %v", p, found)
			}
		}
	}
}

// TestTwoMarkers write one label and the next at the same time: every partition counts both marks, at
// one place each that all readers agree on.
func TestTwoMarkers(t *testing.T) {
	w := newWorld(t)
	w.archive()
	for round := range 5 {
		w.produce(3)
		var g errgroup.Group
		for i := range 4 {
			g.Go(func() error {
				_, err := w.closer.Write(t.Context(), date(0).Add(time.Duration(2*round+i%2)*time.Hour))
				if api.CodeOf(err) == api.Invalid { // the later label was faster
					return nil
				}
				return err
			})
		}
		must(t, g.Wait())
	}
	marks, err := mark.List(t.Context(), w.bucket)
	must(t, err)
	_, _, err = w.closer.Close(t.Context(), marks[len(marks)-1].Label)
	must(t, err)
	records := w.marks()
	for i, p := range w.inspect() {
		if len(p.At) != partitions || len(p.Missing) != 0 || !p.Archived {
			t.Errorf("mark %d: %+v", i+1, p)
		}
		for partition, offset := range p.At { // the archive's place is the first that counts in the log
			if got := firstCounted(records[partition], p.N); got != offset {
				t.Errorf("mark %d counts at %d in partition %d, the log says %d", p.N, offset, partition, got)
			}
		}
	}
}

// firstCounted returns where mark n counts, by the rule as the design has it: n is the last counted + 1.
func firstCounted(records []string, n int64) int64 {
	last := int64(0)
	for _, r := range records {
		var number, offset int64
		if _, err := fmt.Sscanf(r, "%d@%d", &number, &offset); err != nil || number != last+1 {
			continue
		}
		if last = number; number == n {
			return offset
		}
	}
	return -1
}

// TestForeignMarks are records with the header that Anabranch did not write: those that are no next mark
// count nowhere, and nobody's epoch moves by them.
func TestForeignMarks(t *testing.T) {
	w := newWorld(t)
	w.archive()
	w.produce(5)
	foreign := func(key []byte, headers ...string) {
		t.Helper()
		r := &kgo.Record{Topic: "events", Key: key, Value: []byte("{}")}
		for _, h := range headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: event.MarkHeader, Value: []byte(h)})
		}
		must(t, w.client.ProduceSync(t.Context(), r).FirstErr())
	}
	disturb := func(next string) {
		for i := range 6 { // keys go to all partitions
			foreign(fmt.Append(nil, "k", i), next) // a mark has no key
		}
		for range partitions * 3 {
			foreign(nil, "7")        // far ahead
			foreign(nil, "0")        // no number of a mark
			foreign(nil, "-1")       // neither
			foreign(nil, "01")       // not canonical
			foreign(nil, next, next) // twice the header
			foreign(nil, "")
		}
	}
	disturb("1")
	m1, cut1, err := w.closer.Close(t.Context(), date(10))
	must(t, err)
	disturb("2")
	for range 3 {
		foreign(nil, "1") // counted before
	}
	m2, cut2, err := w.closer.Close(t.Context(), date(11))
	must(t, err)
	for i, p := range w.inspect() {
		want := []struct {
			m   model.Mark
			cut model.Cut
		}{{m1, cut1}, {m2, cut2}}[i]
		if d := cmp.Diff(mark.Placed{Mark: want.m, At: want.cut, Archived: true}, p); d != "" {
			t.Error(d)
		}
	}
	for p, found := range w.marks() {
		for n, cut := range map[int64]model.Cut{1: cut1, 2: cut2} {
			if got := firstCounted(found, n); got != cut[int32(p)] {
				t.Errorf("partition %d: mark %d counts at %d, the cut says %d", p, n, got, cut[int32(p)])
			}
		}
	}
}

// TestForeignNextMark is a record exactly as Anabranch would write it: it counts, in that partition, and
// the marker adds the others.
func TestForeignNextMark(t *testing.T) {
	w := newWorld(t)
	w.produce(5)
	offset, err := kafka.WriteMark(t.Context(), w.client, "events", 2, 1, []byte("not a mark object"))
	must(t, err)
	w.archive()
	_, cut, err := w.closer.Close(t.Context(), date(10))
	must(t, err)
	if cut[2] != offset || len(w.marks()[2]) != 1 {
		t.Errorf("the cut is %v, the foreign mark lies at 2/%d", cut, offset)
	}
}
