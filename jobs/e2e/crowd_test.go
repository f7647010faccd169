package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/schemas/event"
)

const (
	crowdWorkers   = 4
	usersPerWorker = 12
	crowdItems     = 60 // of the shop, so that history and live events meet
)

// crowd posts events from several goroutines, whatever happens to the server. An event that was not
// acknowledged is posted again under its event_id, as the API asks for, until it is.
type crowd struct {
	client *client
	seed   uint64
	stop   chan struct{}
	group  *errgroup.Group

	mu      sync.Mutex
	acked   []event.Event
	ends    map[int32]int64 // by partition, the offset after the last acknowledged event
	retries int
}

// startCrowd starts the goroutines; they end with ctx or by finish.
func startCrowd(ctx context.Context, t *testing.T, c *client, seed uint64) *crowd {
	t.Helper()
	w := &crowd{client: c, seed: seed, stop: make(chan struct{}), ends: map[int32]int64{}}
	w.group, ctx = errgroup.WithContext(ctx)
	for i := range crowdWorkers {
		w.group.Go(func() error { return w.work(ctx, i) })
	}
	return w
}

// crowdUsers returns the users that only worker i acts for: some are the shop's, some are new.
func crowdUsers(worker int) []string {
	var out []string
	for i := range usersPerWorker {
		n := worker*usersPerWorker + i
		if i%3 == 0 {
			out = append(out, fmt.Sprintf("guest-%d", n))
		} else {
			out = append(out, fmt.Sprintf("u%d", n+1))
		}
	}
	return out
}

// finish has every event acknowledged that was begun, and stops.
func (w *crowd) finish(t *testing.T) {
	t.Helper()
	close(w.stop)
	if err := w.group.Wait(); err != nil {
		t.Fatalf("the crowd: %v", err)
	}
}

// total returns how many events are acknowledged.
func (w *crowd) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// known returns where the log ends at least, by partition.
func (w *crowd) known() map[int32]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ends)
}

func (w *crowd) work(ctx context.Context, worker int) error {
	g := &generator{
		rng: rand.New(rand.NewPCG(w.seed, uint64(worker))), worker: worker, users: crowdUsers(worker),
		prefix: fmt.Sprintf("e2e-%d-%d-", w.seed, worker), used: map[string]bool{},
	}
	for {
		select {
		case <-w.stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(g.rng.IntN(20)) * time.Millisecond): // a pace, not a wait for something
		}
		if err := w.insist(ctx, g.batch(time.Now())); err != nil {
			return fmt.Errorf("worker %d: %w", worker, err)
		}
	}
}

// insist posts a batch until it is acknowledged.
func (w *crowd) insist(ctx context.Context, batch []event.Event) error {
	var final error
	err := until(ctx, "a batch is acknowledged", func() (bool, error) {
		at, err := w.client.post(ctx, batch)
		if refused(err) {
			final = err
			return true, nil
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.retries++
			return false, err
		}
		w.acked = append(w.acked, batch...)
		for _, s := range at {
			w.ends[s.Partition] = max(w.ends[s.Partition], s.Offset+1)
		}
		return true, nil
	})
	return errors.Join(err, final)
}

// refused tells an answer that a retry cannot change.
func refused(err error) bool {
	var status statusError
	return errors.As(err, &status) && status.status < 500
}

// generator makes the events of one worker.
type generator struct {
	rng    *rand.Rand
	worker int
	users  []string
	prefix string
	next   int
	used   map[string]bool // user and time: no two events of a user are simultaneous, so their order is plain
}

func (g *generator) batch(now time.Time) []event.Event {
	out := make([]event.Event, 1+g.rng.IntN(12))
	for i := range out {
		out[i] = g.event(now)
	}
	return out
}

func (g *generator) event(now time.Time) event.Event {
	types := []string{"view", "view", "view", "cart", "purchase"}
	g.next++
	e := event.Event{
		ID: fmt.Sprint(g.prefix, g.next), UserID: g.users[g.rng.IntN(len(g.users))],
		ItemID: fmt.Sprint("i", 1+g.rng.IntN(crowdItems)), Type: types[g.rng.IntN(len(types))],
	}
	for {
		late := time.Duration(0)
		switch g.rng.IntN(10) {
		case 0:
			late = time.Duration(g.rng.IntN(int(4 * 24 * time.Hour)))
		case 1, 2:
			late = time.Duration(g.rng.IntN(int(90 * time.Minute)))
		}
		e.Time = event.MillisOf(now.Add(-late))
		if key := fmt.Sprint(e.UserID, e.Time); !g.used[key] {
			g.used[key] = true
			return e
		}
		now = now.Add(-time.Millisecond)
	}
}
