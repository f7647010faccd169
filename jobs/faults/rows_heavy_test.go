//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
)

// heavy lets one user do as much as everybody else together, and measures how soon the others' events can be read: with that
// user about as soon as without. On a machine whose cores are shared that is a matter of luck within bounds: the 99th
// percentile of 200 others may be four times as long as before, and a quarter of a second more.
func heavy(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	c := w.child(roleLive)
	c.Batch = 512
	l, err := w.spawn(c)
	if err != nil {
		return err
	}
	if _, err := w.start(roleArchive); err != nil {
		return err
	}
	if err := l.awaitLog(ctx, "live state opened"); err != nil {
		return err
	}
	ordinary := w.flow(ctx, 20, 10*time.Millisecond)
	defer ordinary.cancel()
	before, err := w.probe(ctx, 200, nil)
	if err != nil {
		return err
	}
	total := 20_000
	if w.full {
		total = 100_000
	}
	done := make(chan error, 1)
	go func() { done <- w.user(ctx, "heavy", total) }()
	running := true
	during, err := w.probe(ctx, 200, func() bool {
		select {
		case err = <-done:
			running = false
		default:
		}
		return running
	})
	if running {
		err = errors.Join(err, <-done)
	}
	if err != nil {
		return err
	}
	if bound := 4*p99(before) + 250*time.Millisecond; p99(during) > bound {
		return fmt.Errorf("beside a user with %d events the others' p99 is %s, it was %s before (the bound is %s)", total, p99(during), p99(before), bound)
	}
	if err := ordinary.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// user sends n events of one user, about 5,000 a second.
func (w *world) user(ctx context.Context, id string, n int) error {
	s := w.newShop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < n && ctx.Err() == nil; {
		drafts := make([]draft, 100)
		for i := range drafts {
			e := s.event()
			e.UserID = id
			var err error
			if drafts[i], err = valid(e, event.ContentTypeProtobuf); err != nil {
				return err
			}
		}
		if err := w.send(ctx, drafts); err != nil {
			return err
		}
		sent += len(drafts)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// probe sends single events of other users, one after the other, and returns how long each took until its partition's fence
// was behind it, sorted. It ends when n are done and more says that it is enough.
func (w *world) probe(ctx context.Context, n int, more func() bool) ([]time.Duration, error) {
	store, s := redis.NewStore(w.redis), w.newShop()
	var took []time.Duration
	for len(took) < n || more != nil && more() {
		e := s.event()
		e.UserID = "probe" + strconv.Itoa(len(took)%50)
		d, err := valid(e, event.ContentTypeProtobuf)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := w.send(ctx, []draft{d}); err != nil {
			return nil, err
		}
		p := event.PartitionOf([]byte(e.UserID), w.partitions)
		w.mu.Lock()
		serial := len(w.acked)
		var offset int64
		for i := serial - 1; i >= 0; i-- {
			if a := w.acked[i]; a.partition == p && w.facts[a.serial].event.ID == e.ID {
				offset = a.offset
				break
			}
		}
		w.mu.Unlock()
		for {
			f, _, ok, err := store.ReadFence(ctx, w.keys(w.catalogue, p))
			if err != nil {
				return nil, err
			}
			if ok && f.Next > offset {
				break
			}
			if time.Since(began) > patience {
				return nil, fmt.Errorf("an event was not applied within %s", patience)
			}
			wait(ctx, time.Millisecond)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took, nil
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }
