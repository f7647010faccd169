package mark_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/mark"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 3

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// date returns the label that ends a day of November 2026.
func date(day int) time.Time { return time.Date(2026, 11, day+1, 0, 0, 0, 0, time.UTC) }

// world is a broker, a bucket and, where started, an archiver between them.
type world struct {
	t       *testing.T
	bucket  *bucket.Bucket
	closer  mark.Closer
	client  *kgo.Client
	cluster *kfake.Cluster
}

func newWorld(t *testing.T) *world {
	t.Helper()
	e, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	b, err := filebucket.Open(t.TempDir())
	must(t, err)
	w := &world{t: t, bucket: b, cluster: e.Cluster()}
	w.client, err = kafka.Dial([]string{e.Addr()}, nil, kafka.Local())
	must(t, err)
	t.Cleanup(w.client.Close)
	topics, err := kafka.EnsureTopics(t.Context(), w.client, kafka.Spec{Partitions: partitions})
	must(t, err)
	w.closer = mark.Closer{
		Bucket: b, Seeds: []string{e.Addr()}, Topics: topics, Client: []kgo.Opt{kafka.Local()},
		Wait: 20 * time.Second, Poll: 5 * time.Millisecond, Now: func() time.Time { return now },
	}
	return w
}

// archive starts an archiver that stops with the test.
func (w *world) archive() {
	w.t.Helper()
	a, err := archive.New(archive.Config{Bucket: w.bucket, Seeds: w.closer.Seeds, Topics: w.closer.Topics, Client: w.closer.Client})
	must(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		must(w.t, <-done)
	})
}

func (w *world) produce(n int) {
	w.t.Helper()
	for i := range n {
		r := &kgo.Record{Topic: "events", Key: fmt.Append(nil, "u", i), Value: []byte("{}"), Timestamp: now}
		must(w.t, w.client.ProduceSync(w.t.Context(), r).FirstErr())
	}
}

// marks reads from the log the number and offset of every record with the mark header, by partition.
func (w *world) marks() [partitions][]string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	ends, err := kafka.EndOffsets(ctx, w.client, "events")
	must(w.t, err)
	reader, err := kafka.Dial(w.closer.Seeds, nil, kafka.Local(), kgo.ConsumeTopics("events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(w.t, err)
	defer reader.Close()
	var found [partitions][]string
	missing := int64(0)
	for _, end := range ends {
		missing += end
	}
	for missing > 0 {
		fetches := reader.PollFetches(ctx)
		must(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			missing--
			if n, isMark := kafka.MarkNumber(r); isMark {
				found[r.Partition] = append(found[r.Partition], fmt.Sprintf("%d@%d", n, r.Offset))
			}
		})
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestClose closes epochs, finds closed ones again, and refuses labels that are too late.
func TestClose(t *testing.T) {
	w := newWorld(t)
	w.archive()
	w.produce(20)
	before, err := kafka.EndOffsets(t.Context(), w.client, "events")
	must(t, err)
	m1, cut1, err := w.closer.Close(t.Context(), date(20))
	must(t, err)
	if d := cmp.Diff(model.Mark{N: 1, Label: date(20), Start: now}, m1); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(model.Cut(before), cut1); d != "" {
		t.Error(d)
	}
	w.produce(5)
	m2, cut2, err := w.closer.Close(t.Context(), date(21))
	must(t, err)
	if m2.N != 2 || len(cut2) != partitions {
		t.Errorf("mark %+v, cut %v", m2, cut2)
	}
	written := w.marks()
	for range 2 {
		again, cut, err := w.closer.Close(t.Context(), date(20))
		must(t, err)
		if again.N != 1 || cmp.Diff(cut1, cut) != "" {
			t.Errorf("the old label gave mark %d at %v", again.N, cut)
		}
	}
	if d := cmp.Diff(written, w.marks()); d != "" {
		t.Errorf("a label that was closed wrote again: %s", d)
	}
	for label, says := range map[time.Time]string{
		date(19):                 date(21).Format(time.RFC3339), // unknown and below: names the last
		date(20).Add(time.Hour):  date(21).Format(time.RFC3339),
		now.Add(time.Nanosecond): "future",
	} {
		if _, _, err := w.closer.Close(t.Context(), label); api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("label %s: %v, want an invalid error with %q", label, err, says)
		}
	}
	marks, err := mark.List(t.Context(), w.bucket)
	must(t, err)
	if d := cmp.Diff([]model.Mark{m1, m2}, marks); d != "" {
		t.Error(d)
	}
}

// TestCloseWithoutArchive times out naming the partitions, does not pile up marks when it is repeated,
// and succeeds once the archive runs.
func TestCloseWithoutArchive(t *testing.T) {
	w := newWorld(t)
	w.produce(10)
	hasty := w.closer
	hasty.Wait = 300 * time.Millisecond
	for range 3 {
		if _, _, err := hasty.Close(t.Context(), date(20)); api.CodeOf(err) != api.Unavailable || !strings.Contains(err.Error(), "[0 1 2]") {
			t.Fatalf("got %v", err)
		}
	}
	for p, found := range w.marks() {
		if len(found) != 1 {
			t.Errorf("partition %d has the marks %v", p, found)
		}
	}
	w.archive()
	_, _, err := w.closer.Close(t.Context(), date(20))
	must(t, err)
}

// TestHalfWritten leaves mark 1 in one partition and mark 2 nowhere; closing mark 3 completes them in order.
func TestHalfWritten(t *testing.T) {
	w := newWorld(t)
	w.produce(10)
	for n := int64(1); n <= 2; n++ {
		_, err := w.bucket.PutJSONIfAbsent(t.Context(), model.MarkKey(n), model.Mark{N: n, Label: date(10 + int(n)), Start: now})
		must(t, err)
	}
	_, err := kafka.WriteMark(t.Context(), w.client, "events", 1, 1, []byte("{}"))
	must(t, err)
	w.archive()
	m, cut, err := w.closer.Close(t.Context(), date(20))
	must(t, err)
	for p, found := range w.marks() {
		var numbers []string
		for _, x := range found {
			n, _, _ := strings.Cut(x, "@")
			numbers = append(numbers, n)
		}
		if d := cmp.Diff([]string{"1", "2", "3"}, numbers); d != "" || found[2] != fmt.Sprintf("3@%d", cut[int32(p)]) {
			t.Errorf("partition %d has the marks %v, the cut is at %d", p, found, cut[int32(p)])
		}
	}
	if m.N != 3 {
		t.Errorf("mark %+v", m)
	}
}

// TestManyClosers race for three labels: every label gets one mark, and equal calls get equal cuts.
func TestManyClosers(t *testing.T) {
	w := newWorld(t)
	w.archive()
	cuts := [3][4]model.Cut{}
	for label := range cuts {
		w.produce(5)
		var g errgroup.Group
		for i := range cuts[label] {
			g.Go(func() error {
				m, cut, err := w.closer.Close(t.Context(), date(label+1))
				if err == nil && m.N != int64(label+1) {
					err = fmt.Errorf("label %d is mark %d", label+1, m.N)
				}
				cuts[label][i] = cut
				return err
			})
		}
		must(t, g.Wait())
		for _, cut := range cuts[label] {
			if d := cmp.Diff(cuts[label][0], cut); d != "" || len(cut) != partitions {
				t.Errorf("label %d has several cuts: %s", label+1, d)
			}
		}
	}
}

// TestEveryOperationMayBeTheLast kills a closer at each of its operations; a second call finishes.
func TestEveryOperationMayBeTheLast(t *testing.T) {
	w := newWorld(t)
	w.archive()
	struck := true
	for n, day := 1, 1; struck; n++ {
		for _, effect := range []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter} {
			w.produce(2)
			faulty, _ := errbucket.Wrap(w.bucket, errbucket.Fault{Nth: n, Effect: effect})
			dying := w.closer
			dying.Bucket = faulty
			_, _, err := dying.Close(t.Context(), date(0).Add(time.Duration(day)*time.Hour))
			if struck = err != nil; struck && !errors.Is(err, errbucket.ErrInjected) {
				t.Fatalf("operation %d: %v", n, err)
			}
			m, cut, err := w.closer.Close(t.Context(), date(0).Add(time.Duration(day)*time.Hour))
			must(t, err)
			if m.N != int64(day) || len(cut) != partitions {
				t.Fatalf("operation %d: mark %d at %v, want mark %d", n, m.N, cut, day)
			}
			day++
		}
	}
	for p, found := range w.marks() {
		marks, err := mark.List(t.Context(), w.bucket)
		must(t, err)
		if len(found) != len(marks) {
			t.Errorf("partition %d has %d mark records for %d marks", p, len(found), len(marks))
		}
	}
}

func TestListRefusesGaps(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int64{1, 3} {
		_, err := w.bucket.PutJSONIfAbsent(t.Context(), model.MarkKey(n), model.Mark{N: n, Label: date(int(n)), Start: now})
		must(t, err)
	}
	if _, err := mark.List(t.Context(), w.bucket); err == nil || !strings.Contains(err.Error(), model.MarkKey(2)) {
		t.Errorf("got %v", err)
	}
}
