package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sized returns n records that count for so many bytes each.
func sized(n, bytes int) []*kgo.Record {
	out := make([]*kgo.Record, n)
	for i := range out {
		out[i] = &kgo.Record{Offset: int64(i), Value: make([]byte, bytes-128)}
	}
	return out
}

func TestInboxTakesWhatIsWanted(t *testing.T) {
	fetching := true
	q := newSharedQueue(1 << 20)
	b := newInbox(q, func(on bool) { fetching = on })
	b.put(sized(3, 200), 3, nil)
	if n, _, _ := b.waiting(); n != 0 || fetching {
		t.Errorf("%d records are kept that nobody asked for; the client fetches on: %v", n, fetching)
	}
	b.want(7)
	if at, ok := b.wanted(); at != 7 || !ok {
		t.Errorf("wants %d, %v", at, ok)
	}
	b.begin()
	b.put(sized(10, 200), 50, nil)
	b.put(nil, 60, errors.New("gone"))
	if !b.isReading() || fetching {
		t.Error("after begin records are wanted; after an error no more are fetched")
	}
	if first, high := b.take(4, 1<<20); len(first) != 4 || high != 60 {
		t.Errorf("took %d up to %d, want 4 of a partition that ends at 60", len(first), high)
	}
	if second, _ := b.take(100, 450); len(second) != 2 || second[0].Offset != 4 {
		t.Errorf("took %d of 200 bytes each, want 2 within 450, from offset 4 on", len(second))
	}
	if big, _ := b.take(100, 1); len(big) != 1 {
		t.Errorf("took %d, want one record though it is too large", len(big))
	}
	if _, bytes, err := b.waiting(); bytes != 3*200 || q.bytes != bytes || err == nil {
		t.Errorf("%d bytes wait, %d in all, want 600; then %v", bytes, q.bytes, err)
	}
	b.drop()
	if n, bytes, err := b.waiting(); n != 0 || bytes != 0 || q.bytes != 0 || err != nil || b.isReading() {
		t.Errorf("after drop %d records, %d bytes, %d in all, %v", n, bytes, q.bytes, err)
	}
}

// TestInboxThrottles: the client does not fetch what already waits in plenty, and does again when there is room.
func TestInboxThrottles(t *testing.T) {
	fetching := false
	q := newSharedQueue(64 << 10)
	b := newInbox(q, func(on bool) { fetching = on })
	b.want(0)
	b.begin()
	b.put(sized(7, 1<<10), 7, nil)
	if !fetching {
		t.Fatal("7 of 64 KiB are no reason to stop")
	}
	b.put(sized(7, 1<<10), 14, nil)
	if fetching {
		t.Fatal("a partition with 14 of 64 KiB is still fetched")
	}
	b.take(12, 1<<20)
	if fetching {
		t.Fatal("it is fetched again too early")
	}
	b.take(1, 1<<20)
	if !fetching {
		t.Fatal("it is not fetched again")
	}
	b.put(sized(70, 1<<10), 84, nil)
	if !q.full() {
		t.Error("71 of 64 KiB are not full")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if q.awaitRoom(ctx); ctx.Err() == nil {
		t.Error("there is room where there is none")
	}
	go b.take(60, 1<<20)
	if q.awaitRoom(t.Context()); q.full() {
		t.Error("there is no room")
	}
	b.stop()
	if b.put(sized(1, 200), 90, nil); q.bytes != 0 || b.wait(t.Context(), 0) {
		t.Errorf("after stop %d bytes wait, or the worker goes on", q.bytes)
	}
}
