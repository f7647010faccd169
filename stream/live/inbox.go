package live

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// inbox is where the loop puts what Kafka has delivered of a partition, and its worker takes it. It also carries what
// the two have to tell each other: where the client shall read, whether it does, and that the work shall end.
type inbox struct {
	queue *sharedQueue
	fetch func(bool) // lets the client fetch the partition, or not

	mu       sync.Mutex
	bell     chan struct{} // holds one ring: something has changed for the worker
	records  []*kgo.Record
	bytes    int
	high     int64 // the end of the partition, as Kafka told it with them
	err      error // what came after them
	reading  bool  // the client reads on from the worker's fence: what it delivers is wanted
	seek     int64 // where the worker wants it to read; -1 for nowhere
	stopped  bool
	throttle bool // the client does not fetch, since too much waits here
}

func newInbox(q *sharedQueue, fetch func(bool)) *inbox {
	return &inbox{queue: q, fetch: fetch, bell: make(chan struct{}, 1), high: -1, seek: -1}
}

func (b *inbox) ring() {
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

// put adds what was delivered. What is not wanted is dropped: it will be read again from the fence.
func (b *inbox) put(records []*kgo.Record, high int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	if !b.reading {
		b.fetch(false)
		return
	}
	b.high = max(b.high, high)
	if b.err = err; err != nil {
		b.fetch(false)
	}
	size := sizeOf(records)
	b.records, b.bytes = append(b.records, records...), b.bytes+size
	b.queue.add(size)
	if !b.throttle && b.bytes > b.queue.limit/8 {
		b.throttle = true
		b.fetch(false)
	}
	b.ring()
}

// sizeOf returns about how many bytes records take.
func sizeOf(records []*kgo.Record) (n int) {
	for _, r := range records {
		n += len(r.Key) + len(r.Value) + 128
	}
	return n
}

// waiting returns how much is there.
func (b *inbox) waiting() (records, bytes int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.records), b.bytes, b.err
}

// take returns records to apply, at most n and about so many bytes, but at least one where there is any.
func (b *inbox) take(n, bytes int) (records []*kgo.Record, high int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.records))
	size := 0
	for i, r := range b.records[:n] {
		if size += sizeOf([]*kgo.Record{r}); size > bytes && i > 0 {
			n, size = i, size-sizeOf([]*kgo.Record{r})
			break
		}
	}
	records = b.records[:n:n]
	if b.records = b.records[n:]; len(b.records) == 0 {
		b.records = nil
	}
	b.shed(size)
	if b.throttle && b.bytes < b.queue.limit/32 {
		b.throttle = false
		b.fetch(true)
	}
	return records, b.high
}

// shed notes that some bytes are gone.
func (b *inbox) shed(size int) {
	b.bytes -= size
	b.queue.add(-size)
}

// drop forgets what is there and wants nothing more until the client was told where to read.
func (b *inbox) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shed(b.bytes)
	b.records, b.err, b.reading, b.seek, b.throttle = nil, nil, false, -1, false
	if !b.stopped {
		b.fetch(false)
	}
}

// want asks for records from an offset on.
func (b *inbox) want(offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seek = offset
}

// wanted returns the offset that was asked for; ok is false when nothing was.
func (b *inbox) wanted() (offset int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seek, b.seek >= 0 && !b.stopped
}

// begin says that the client reads from the wanted offset on.
func (b *inbox) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.reading, b.seek = true, -1
	b.fetch(true)
	b.ring()
}

// isReading reports whether what the client delivers is wanted.
func (b *inbox) isReading() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reading
}

// stop lets the worker end after its step.
func (b *inbox) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.shed(b.bytes)
	b.records = nil
	b.ring()
}

// wait returns after a time, or earlier when something has changed. It reports false when the worker shall end.
func (b *inbox) wait(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		select {
		case <-b.bell:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.stopped && ctx.Err() == nil
}

// sharedQueue counts the bytes that wait in all inboxes of a runner.
type sharedQueue struct {
	limit int

	mu    sync.Mutex
	bytes int
	room  chan struct{} // holds one signal: bytes has become less
}

func newSharedQueue(limit int) *sharedQueue {
	return &sharedQueue{limit: limit, room: make(chan struct{}, 1)}
}

func (q *sharedQueue) add(n int) {
	q.mu.Lock()
	q.bytes += n
	q.mu.Unlock()
	if n < 0 {
		select {
		case q.room <- struct{}{}:
		default:
		}
	}
}

func (q *sharedQueue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > q.limit
}

// awaitRoom returns when the inboxes may take more.
func (q *sharedQueue) awaitRoom(ctx context.Context) {
	for q.full() && ctx.Err() == nil {
		select {
		case <-q.room:
		case <-ctx.Done():
		}
	}
}
