package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topicID = "0123456789abcdef0123456789abcdef"

var start = time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)

func openBucket(t testing.TB) *bucket.Bucket {
	t.Helper()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record makes an event of user i at offset.
func record(partition int32, offset int64, i int) *kgo.Record {
	user := fmt.Sprint("u", i)
	value := fmt.Sprintf(`{"event_id":"e%d","user_id":%q,"item_id":"i1","type":"view","event_time":"2026-01-31T10:00:00Z"}`, i, user)
	return &kgo.Record{Topic: "events", Partition: partition, Offset: offset, Timestamp: start, Key: []byte(user), Value: []byte(value)}
}

func mark(partition int32, offset, n int64) *kgo.Record {
	return &kgo.Record{
		Topic: "events", Partition: partition, Offset: offset, Timestamp: start, Value: []byte("{}"),
		Headers: []kgo.RecordHeader{{Key: event.MarkHeader, Value: strconv.AppendInt(nil, n, 10)}},
	}
}

// randomLog is one partition's log: events of its own and of others, garbage, gaps as aborted
// transactions leave them, marks, and marks that do not count. It ends with a mark.
func randomLog(rng *rand.Rand, partition int32, length int) []*kgo.Record {
	var log []*kgo.Record
	next, marks := int64(0), int64(0)
	for range length {
		next += int64(max(0, rng.IntN(12)-9)) // a gap now and then
		switch rng.IntN(20) {
		case 0:
			marks++
			log = append(log, mark(partition, next, marks))
		case 1:
			log = append(log, mark(partition, next, max(1, marks-int64(rng.IntN(3)))))
		case 2:
			log = append(log, mark(partition, next, marks+2))
		case 3:
			r := record(partition, next, 0)
			r.Value = []byte(`{"event_id":` + strconv.Itoa(rng.Int()))
			log = append(log, r)
		default:
			log = append(log, record(partition, next, rng.IntN(50)))
		}
		next++
	}
	return append(log, mark(partition, next, marks+1))
}

// entry is what must be known of a record from the archive.
type entry struct {
	Epoch, Offset int64
	Value         string // of a rejected record
	EventID       string // of a valid one
}

// recount reads a log naively: a loop over its records that follows the sentence of the design. It
// returns the rows of the epochs that are over, and where each of these ended.
func recount(log []*kgo.Record, valid event.Validity) (rows []entry, ends []int64) {
	var open []entry
	epoch := int64(0)
	for _, r := range log {
		if n, isMark := kafka.MarkNumber(r); isMark {
			if n == epoch+1 {
				rows, open = append(rows, open...), nil
				ends = append(ends, r.Offset)
				epoch = n
			}
			continue
		}
		e, rejection := valid.Check(event.Record{Key: r.Key, Value: r.Value, Partition: r.Partition, LogTime: event.MillisOf(r.Timestamp)})
		x := entry{Epoch: epoch, Offset: r.Offset, EventID: e.ID}
		if rejection != nil {
			x = entry{Epoch: epoch, Offset: r.Offset, Value: string(r.Value)}
		}
		open = append(open, x)
	}
	return rows, ends
}

// compare fails unless the archive holds every row of the log's closed epochs exactly once, in
// order, in a chain without gaps, and knows where the epochs ended.
func compare(t testing.TB, b *bucket.Bucket, topic string, logs [][]*kgo.Record) {
	t.Helper()
	valid := event.Validity{Partitions: int32(len(logs))}
	for p, log := range logs {
		want, ends := recount(log, valid)
		var got []entry
		from := int64(0)
		for epoch, end := range ends {
			x, _, err := ReadIndex(context.Background(), b, int64(epoch))
			if err != nil {
				t.Fatal(err)
			}
			if at, known := x.End[int32(p)]; !known || at != end {
				t.Fatalf("epoch %d partition %d ends at %d (%v), want %d", epoch, p, at, known, end)
			}
			only := model.Index{Epoch: x.Epoch, Objects: x.Of(int32(p))}
			if err := only.CheckChain(model.Cut{int32(p): from}, model.Cut{int32(p): end}); err != nil {
				t.Fatal(err)
			}
			for _, o := range only.Objects {
				got = append(got, rowsOf(t, b, topic, int64(epoch), o)...)
			}
			from = end
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("partition %d: log and archive differ:\n%s", p, d)
		}
	}
}

func rowsOf(t testing.TB, b *bucket.Bucket, topic string, epoch int64, o model.Object) []entry {
	t.Helper()
	var got []entry
	footer, err := rawparquet.ReadVerified(context.Background(), b, o.Key, o.Bytes, o.SHA256, nil, func(batch rawparquet.Batch) error {
		for r := range batch.Rows {
			if r.TopicID != topic || r.Partition != o.Partition || r.LogTime == 0 {
				return fmt.Errorf("row at %d: topic %s, partition %d, log time %d", r.Offset, r.TopicID, r.Partition, r.LogTime)
			}
			x := entry{Epoch: epoch, Offset: r.Offset}
			if r.Reject != nil {
				x.Value = *r.Payload
			} else {
				x.EventID = *r.EventID
			}
			got = append(got, x)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if span, err := footer.Span(); err != nil || span.Epoch != epoch || span.First != o.First || span.End != o.End || span.Rows != o.Rows {
		t.Fatalf("%s: %+v does not match its index entry %+v: %v", o.Key, span, o, err)
	}
	return got
}
