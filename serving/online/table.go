package online

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// source says where the content of a table came from.
type source int

// The sources, better ones later.
const (
	fromNowhere source = iota
	fromSnapshot
	fromKafka
)

// table is the current content of a compacted topic, by key.
type table[T any] struct {
	topic  string
	record func(key, value []byte) (T, *event.Rejection) // judges a record of the topic

	mu      sync.RWMutex
	rows    map[string]T
	from    source
	changes int64
}

func (t *table[T]) get(id string) (row T, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	row, ok = t.rows[id]
	return row, ok
}

// version changes with the content.
func (t *table[T]) version() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.changes
}

func (t *table[T]) source() source {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.from
}

func (t *table[T]) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows)
}

// all returns the rows in no particular order.
func (t *table[T]) all() []T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.rows))
}

// install replaces the content, unless what is there came from a better source.
func (t *table[T]) install(rows map[string]T, from source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if from < t.from {
		return
	}
	t.rows, t.from = rows, from
	t.changes++
}

// retry bounds the time between two attempts to follow a topic.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// run follows the topic until ctx ends. What was read before a failure stays until the topic has been
// read again from its start.
func (t *table[T]) run(ctx context.Context, seeds []string, log *slog.Logger, opts []kgo.Opt) {
	wait := firstRetry
	for {
		started := time.Now()
		err := t.follow(ctx, seeds, log, opts)
		if ctx.Err() != nil {
			return
		}
		log.Warn("catalogue no longer followed; starting again", "topic", t.topic, "error", err)
		if time.Since(started) > lastRetry {
			wait = firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = min(2*wait, lastRetry)
	}
}

func (t *table[T]) follow(ctx context.Context, seeds []string, log *slog.Logger, opts []kgo.Opt) error {
	rows, ready, skipped := map[string]T{}, false, 0
	return kafka.Table{
		Apply: func(key, value []byte, offset int64) {
			if ready {
				t.mu.Lock()
				defer t.mu.Unlock()
				t.changes++
			}
			rejection := t.apply(rows, key, value)
			if rejection == nil {
				return
			}
			if skipped++; skipped == 1 {
				log.Warn("a record that is not valid is skipped, as all further ones are", "topic", t.topic, "offset", offset,
					"reason", rejection.Reason, "field", rejection.Field)
			}
		},
		Ready: func() {
			ready = true
			t.install(rows, fromKafka)
			log.Info("catalogue read", "topic", t.topic, "records", len(rows), "skipped", skipped)
		},
	}.Follow(ctx, seeds, log, t.topic, opts...)
}

// apply takes a record over. One that is not valid changes nothing: the key keeps what it had.
func (t *table[T]) apply(rows map[string]T, key, value []byte) *event.Rejection {
	if value == nil {
		delete(rows, string(key))
		return nil
	}
	row, rejection := t.record(key, value)
	if rejection == nil {
		rows[string(key)] = row
	}
	return rejection
}
