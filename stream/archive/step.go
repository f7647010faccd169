package archive

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// Limits say when a file is written although no mark ends it.
type Limits struct {
	Rows  int           // default 500,000
	Bytes int64         // of records and their bookkeeping, per partition, of which less is in memory; default 128 MiB among all, but 8 to 64 MiB
	Age   time.Duration // since its first record arrived; default 5 minutes
}

func (l Limits) withDefaults(partitions int32) Limits {
	if l.Rows <= 0 {
		l.Rows = 500_000
	}
	if l.Bytes <= 0 {
		l.Bytes = min(max(128<<20/int64(partitions), 8<<20), 64<<20)
	}
	if l.Age <= 0 {
		l.Age = 5 * time.Minute
	}
	return l
}

// rowBytes is about what a row takes in columns beside the record's own bytes, before they are compressed: lengths of
// texts, numbers that Protobuf writes in fewer bytes, numbers of texts in dictionaries.
const rowBytes = 64

// partition is the archiver's state of one partition: the records [first, next) of the current epoch
// that are not written yet. It does no I/O and knows no clock.
type partition struct {
	topic  string // topic id in hex
	id     int32
	valid  event.Validity
	limits Limits

	counter     model.Counter
	first, next int64
	rows        *rawparquet.Writer // of [first, next); nil before the first one
	rejected    int64              // of rows
	bytes       int64
	since       time.Time          // when the first pending record arrived
	spare       *rawparquet.Writer // of the file before, with its memory
}

// step takes the next record and returns the file that it completes, if any. Records that the archive
// covers already are ignored.
func (p *partition) step(r *kgo.Record, now time.Time) (f file, complete bool, err error) {
	if r.Offset < p.next {
		return file{}, false, nil
	}
	n, isMark := kafka.MarkNumber(r)
	control := r.Attrs.IsControl()
	if !control && isMark && n == p.counter.Epoch+1 {
		f = p.cut(r.Offset)
		f.closes = true
		p.counter.Epoch = n
		p.next, p.since = r.Offset+1, now
		return f, true, nil
	}
	if p.next == p.first {
		p.since = now
	}
	if !isMark && !control {
		if err := p.add(r); err != nil {
			return file{}, false, err
		}
	}
	p.next = r.Offset + 1
	if p.rows != nil && p.rows.Rows() >= p.limits.Rows || p.bytes >= p.limits.Bytes {
		return p.cut(p.next), true, nil
	}
	return file{}, false, nil
}

// tick returns the file whose time has come, if any.
func (p *partition) tick(now time.Time) (f file, complete bool) {
	if p.next == p.first || now.Sub(p.since) < p.limits.Age {
		return file{}, false
	}
	return p.cut(p.next), true
}

// cut takes everything before end out as a file.
func (p *partition) cut(end int64) file {
	f := file{partition: p.id, epoch: p.counter.Epoch, first: p.first, end: end, rows: p.rows, rejected: p.rejected}
	p.first, p.rows, p.rejected, p.bytes = end, nil, 0, 0
	return f
}

// reuse takes back the memory of a file that is in the bucket.
func (p *partition) reuse(f file) {
	if f.rows != nil {
		f.rows.Reset()
		p.spare = f.rows
	}
}

// written notes that the archive now covers everything before end, which may be more than was cut.
func (p *partition) written(end int64) {
	if end > p.first {
		p.first = end
	}
	if end > p.next {
		p.next = end
	}
}

func (p *partition) add(r *kgo.Record) error {
	at := event.Position{TopicID: p.topic, Partition: p.id, Offset: r.Offset}
	rec := event.Record{
		Key: r.Key, Value: r.Value, ContentType: kafka.ContentType(r),
		Partition: p.id, LogTime: event.MillisOf(r.Timestamp),
	}
	row, err := p.row(at, rec)
	if err != nil {
		return err
	}
	p.writer().Add(&row)
	if row.Reject != nil {
		p.rejected++
	}
	p.bytes += int64(len(r.Key)+len(r.Value)) + rowBytes
	return nil
}

// writer returns where rows go.
func (p *partition) writer() *rawparquet.Writer {
	if p.rows == nil {
		p.rows, p.spare = p.spare, nil
	}
	if p.rows == nil {
		p.rows = rawparquet.NewWriter()
	}
	return p.rows
}

func (p *partition) row(at event.Position, rec event.Record) (event.Raw, error) {
	e, rejection := p.valid.Check(rec)
	if rejection != nil {
		return event.RawRejected(at, rec, rejection), nil
	}
	return event.RawEvent(at, rec.LogTime, &e)
}
