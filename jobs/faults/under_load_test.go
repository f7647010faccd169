//go:build integration

package faults

import (
	"context"
	"fmt"
	"time"
)

// underLoad is the frame of most rows: live state, archive and a producer run while fault does its work; when that is
// over, everything has to recover.
func underLoad(fault func(ctx context.Context, w *world, l, a *process) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := w.createTopics(ctx, nil); err != nil {
			return err
		}
		l, a, err := w.pair()
		if err != nil {
			return err
		}
		f := w.flow(ctx, 40, 10*time.Millisecond)
		if err := w.awaitFences(ctx); err != nil { // who cannot start is started again by a supervisor
			f.cancel()
			return fmt.Errorf("%w; the log of %s ends:\n%s", err, l.name, l.tail())
		}
		if err := fault(ctx, w, l, a); err != nil {
			f.cancel()
			return err
		}
		if err := f.stop(); err != nil {
			return err
		}
		return w.settle(ctx)
	}
}

// awaitFences waits until live state is at work in every partition.
func (w *world) awaitFences(ctx context.Context) error {
	return await(ctx, "live state is at work", func() (bool, error) {
		fences, err := w.fences(ctx, w.catalogue)
		for _, f := range fences {
			if f.Next == 0 {
				return false, nil
			}
		}
		return fences != nil, err
	})
}

// afterwards is the frame of rows whose fault is in the data: what send produces, with marks in between.
func afterwards(send func(ctx context.Context, w *world) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		if err := w.createTopics(ctx, nil); err != nil {
			return err
		}
		if _, _, err := w.pair(); err != nil {
			return err
		}
		if err := send(ctx, w); err != nil {
			return err
		}
		return w.settle(ctx)
	}
}

// wait lets time pass: an outage has a length.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// awaitSome waits until a quarter to the whole of n more records are acknowledged.
func (w *world) awaitSome(ctx context.Context, n int) error {
	return w.awaitProduced(ctx, n/4+w.rng.IntN(3*n/4+1))
}

// closed tells whether a channel is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
