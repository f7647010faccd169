//go:build integration

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// serialHeader numbers the records of a row, so that whoever reads the log knows what their author meant.
const serialHeader = "faults-serial"

// fact is what the producer of a record knows about it.
type fact struct {
	event   event.Event
	invalid bool
}

// place is where an acknowledged record is.
type place struct {
	serial    int
	partition int32
	offset    int64
}

// draft is a record to be produced.
type draft struct {
	fact
	key         string
	value       []byte
	contentType string
	at          time.Time // the record's own timestamp; zero is now
}

// valid returns the draft of an event in an encoding.
func valid(e event.Event, contentType string) (draft, error) {
	value, err := e.EncodeAs(contentType)
	if err != nil {
		return draft{}, err
	}
	return draft{fact: fact{event: e}, key: e.UserID, value: value, contentType: contentType}, nil
}

// invalid returns the draft of a record that is no event.
func invalid(key string, value []byte) draft {
	return draft{fact: fact{invalid: true}, key: key, value: value}
}

// shop makes ordinary events: few users and items, so that states are written again and again.
type shop struct {
	rng          *rand.Rand
	users, items int
	n            int
	name         string
}

func (w *world) newShop() *shop {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups++
	return &shop{rng: rand.New(rand.NewPCG(w.rng.Uint64(), 7)), users: 30, items: 20, name: "s" + strconv.Itoa(w.groups)}
}

// event makes the next event, up to two days old.
func (s *shop) event() event.Event {
	s.n++
	category := []string{"hats", "shoes", "books"}[s.rng.IntN(3)]
	price := float64(s.rng.IntN(10_000)) / 100
	e := event.Event{
		ID: fmt.Sprintf("%s-%d", s.name, s.n), UserID: fmt.Sprintf("u%d", s.rng.IntN(s.users)), ItemID: fmt.Sprintf("i%d", s.rng.IntN(s.items)),
		Type: []string{"view", "view", "view", "cart", "purchase", "like"}[s.rng.IntN(6)],
		Time: event.MillisOf(time.Now().Add(-time.Duration(s.rng.Int64N(int64(48 * time.Hour))))),
	}
	if s.rng.IntN(2) == 0 {
		e.Stamp = &event.Stamp{Category: &category, Price: &price}
	}
	return e
}

// ordinary makes n drafts: JSON and Protobuf, some repetitions, some garbage.
func (s *shop) ordinary(n int) ([]draft, error) {
	out := make([]draft, 0, n)
	for len(out) < n {
		switch k := s.rng.IntN(100); {
		case k < 1:
			out = append(out, invalid("u1", []byte(`{"event_id":`)))
			continue
		case k < 4 && len(out) > 0:
			out = append(out, out[s.rng.IntN(len(out))])
			continue
		}
		d, err := valid(s.event(), []string{event.ContentTypeJSON, event.ContentTypeProtobuf, ""}[s.rng.IntN(3)])
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// send produces drafts and returns when all are acknowledged. Not all may be in the log after an error, and all may.
func (w *world) send(ctx context.Context, drafts []draft) error {
	records := make([]*kgo.Record, len(drafts))
	w.mu.Lock()
	first := len(w.facts)
	for i, d := range drafts {
		w.facts = append(w.facts, d.fact)
		r := &kgo.Record{
			Topic: w.topic, Key: []byte(d.key), Value: d.value, Timestamp: d.at,
			Headers: []kgo.RecordHeader{{Key: serialHeader, Value: strconv.AppendInt(nil, int64(first+i), 10)}},
		}
		if d.contentType != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: event.ContentTypeHeader, Value: []byte(d.contentType)})
		}
		records[i] = r
	}
	w.mu.Unlock()
	results := w.client.ProduceSync(ctx, records...)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range records {
		if results[i].Err != nil {
			return fmt.Errorf("produce: %w", results[i].Err)
		}
		// Results come in the order of acknowledgement.
		r = results[i].Record
		serial, err := strconv.Atoi(string(r.Headers[0].Value))
		if err != nil {
			return fmt.Errorf("serial number of a record: %w", err)
		}
		w.acked = append(w.acked, place{serial, r.Partition, r.Offset})
	}
	return nil
}

// sendOrdinary produces n ordinary records.
func (w *world) sendOrdinary(ctx context.Context, s *shop, n int) error {
	drafts, err := s.ordinary(n)
	if err != nil {
		return err
	}
	return w.send(ctx, drafts)
}

// flow is a producer in the background.
type flow struct {
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
	err    error
}

// flow produces chunks of ordinary records, one each pause, until it is stopped.
func (w *world) flow(ctx context.Context, chunk int, pause time.Duration) *flow {
	s := w.newShop()
	return w.flowOf(ctx, pause, func(ctx context.Context) error { return w.sendOrdinary(ctx, s, chunk) })
}

// flowOf calls send, each pause, until it is stopped.
func (w *world) flowOf(ctx context.Context, pause time.Duration, send func(context.Context) error) *flow {
	inner, cancel := context.WithCancel(ctx)
	f := &flow{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for inner.Err() == nil {
			// What has begun is acknowledged, unless the row's own time is over.
			if f.err = send(ctx); f.err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-inner.Done():
			}
		}
	}()
	return f
}

// stop ends the producer and returns what went wrong.
func (f *flow) stop() error {
	f.once.Do(func() { f.cancel(); <-f.done })
	return f.err
}

// produced is how many records are acknowledged.
func (w *world) produced() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// awaitProduced waits until n more records are acknowledged.
func (w *world) awaitProduced(ctx context.Context, n int) error {
	from := w.produced()
	return await(ctx, fmt.Sprintf("%d more records are acknowledged", n), func() (bool, error) { return w.produced() >= from+n, nil })
}
