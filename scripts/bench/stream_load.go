package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// workload is what a topic is filled with: a day of a shop's events, evenly spread, up to now.
type workload struct {
	Events     int
	Users      int
	Items      int
	Partitions int32
	Zipf       float64 // exponent of both users and items
	Span       time.Duration
	Seed       uint64
}

func newWorkload(events int) workload {
	return workload{Events: events, Users: 200_000, Items: 20_000, Partitions: 16, Zipf: 0.8, Span: 24 * time.Hour, Seed: 1}
}

func (w workload) params() map[string]any {
	return map[string]any{
		"events": w.Events, "users": w.Users, "items": w.Items, "partitions": w.Partitions, "zipf": w.Zipf,
		"span_h": w.Span.Hours(), "seed": w.Seed, "redis": "appendonly no", "catalogue": "default",
	}
}

// zipf draws ranks 0 … n-1 with probabilities ∝ 1/(rank+1)^s, also for s ≤ 1.
type zipf struct{ sums []float64 }

func newZipf(n int, s float64) zipf {
	sums := make([]float64, n)
	total := 0.0
	for i := range sums {
		total += math.Pow(float64(i+1), -s)
		sums[i] = total
	}
	return zipf{sums}
}

func (z zipf) draw(rng *rand.Rand) int {
	return sort.SearchFloat64s(z.sums, rng.Float64()*z.sums[len(z.sums)-1])
}

// shopper makes events.
type shopper struct {
	w            workload
	rng          *rand.Rand
	users, items zipf
	made         int
}

func (w workload) shopper() *shopper {
	return &shopper{w: w, rng: rand.New(rand.NewPCG(w.Seed, 2)), users: newZipf(w.Users, w.Zipf), items: newZipf(w.Items, w.Zipf)}
}

// next makes an event that happens now.
func (s *shopper) next(now event.Millis) event.Event {
	s.made++
	user, item := s.users.draw(s.rng), s.items.draw(s.rng)
	category, price := fmt.Sprint("category ", item%40), float64(item%977)+0.99
	e := event.Event{
		ID: fmt.Sprintf("01JB%022d", s.made), UserID: fmt.Sprint("u", 100_000+user), ItemID: fmt.Sprint("i", 10_000+item),
		Type: "view", Time: now, SessionID: fmt.Sprint("s", user, "-", s.made>>20),
		Context: map[string]string{"page": "home", "device": [...]string{"phone", "tablet", "desktop"}[user%3]},
		Stamp:   &event.Stamp{Category: &category, Price: &price},
	}
	switch d := s.rng.IntN(100); {
	case d < 2:
		stars := float64(1 + s.rng.IntN(5))
		e.Type, e.Value = "rating", &stars
	case d < 5:
		e.Type = "like"
	case d < 10:
		e.Type = "purchase"
	case d < 20:
		e.Type = "cart"
	}
	return e
}

// record encodes an event.
func record(e *event.Event, contentType string) (*kgo.Record, error) {
	value, err := e.EncodeAs(contentType)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{
		Topic: kafka.EventsTopic, Key: []byte(e.UserID), Value: value,
		Headers: []kgo.RecordHeader{{Key: event.ContentTypeHeader, Value: []byte(contentType)}},
	}, nil
}

// makeTopics creates the topics of events and of dead letters.
func (w workload) makeTopics(ctx context.Context, client *kgo.Client) error {
	responses, err := kadm.NewClient(client).CreateTopics(ctx, w.Partitions, 1, nil, kafka.EventsTopic, kafka.DeadLettersTopic)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	if err := responses.Error(); err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return nil
}

// fill produces the workload. Records carry their event's time as their own.
func (w workload) fill(ctx context.Context, seeds []string, contentType string) (bytes int64, err error) {
	client, err := kafka.Dial(seeds, nil, kafka.Local(), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := w.makeTopics(ctx, client); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, now := w.shopper(), time.Now()
	for i := range w.Events {
		at := now.Add(-w.Span + time.Duration(float64(w.Span)*float64(i)/float64(w.Events)))
		e := s.next(event.MillisOf(at))
		r, err := record(&e, contentType)
		if err != nil {
			return 0, err
		}
		r.Timestamp = at
		bytes += int64(len(r.Value))
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
		if ctx.Err() != nil {
			break
		}
	}
	if err := client.Flush(ctx); err != nil {
		return 0, fmt.Errorf("fill the topic: %w", context.Cause(ctx))
	}
	return bytes, nil
}

// consume reads the topic and does nothing with it: what the Kafka client alone takes.
func (w workload) consume(ctx context.Context, seeds []string) error {
	client, err := kafka.Dial(seeds, nil, kafka.Local(), kgo.ConsumeTopics(kafka.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for n := 0; n < w.Events; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
		n += fetches.NumRecords()
	}
	return nil
}
