//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/schemas/api"
)

// markers lets processes die while they write a mark into one partition after the other, and lets two of them meet.
func markers(ctx context.Context, w *world, _, _ *process) error {
	next := func() time.Time { w.marks++; return w.labels.Add(time.Duration(w.marks) * time.Hour) }
	for _, point := range []string{beforeLetters, afterLetters} { // here: of mark records
		if err := w.awaitSome(ctx, 400); err != nil {
			return err
		}
		c := w.child(roleMark)
		c.Label, c.Crash, c.CrashAt = next(), point, 1+w.rng.IntN(int(w.partitions))
		if err := w.die(ctx, []childConfig{c}); err != nil {
			return err
		}
		if w.rng.IntN(2) == 0 { // else the next ones complete it
			c.Crash = ""
			if err := w.write(ctx, c); err != nil {
				return err
			}
		}
	}
	// Two for one label, and two for labels of their own: of those, the lesser may come too late.
	c := w.child(roleMark)
	c.Label = next()
	g, inner := errgroup.WithContext(ctx)
	for range 2 {
		g.Go(func() error { return w.write(inner, c) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	g, inner = errgroup.WithContext(ctx)
	for range 2 {
		c.Label = next()
		one := c
		g.Go(func() error {
			err := w.write(inner, one)
			if api.CodeOf(err) == api.Invalid { // labels only rise
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	closer, err := c.closer(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	placed, err := closer.Inspect(ctx)
	if err != nil {
		return err
	}
	for i, m := range placed {
		if m.N != int64(i+1) || len(m.Missing) > 0 || len(m.At) != int(w.partitions) {
			return fmt.Errorf("mark %d of %d is %+v", i+1, len(placed), m)
		}
	}
	if len(placed) < 4 {
		return errors.New("fewer than 4 marks were written")
	}
	w.marks = 1000 // the last label is behind all of these
	return nil
}

func (w *world) write(ctx context.Context, c childConfig) error {
	closer, err := c.closer(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = closer.Write(ctx, c.Label)
	return err
}

// deploy runs two definitions side by side as a rolling deployment does, then goes back to the old one.
func deploy(ctx context.Context, w *world, old, _ *process) error {
	next, err := catalogueOf(w.unique + "next")
	if err != nil {
		return err
	}
	c := w.child(roleLive)
	c.Unique = w.unique + "next"
	if err := w.awaitSome(ctx, 800); err != nil {
		return err
	}
	newer, err := w.spawn(c)
	if err != nil {
		return err
	}
	if err := w.awaitSome(ctx, 800); err != nil {
		return err
	}
	if err := old.stop(); err != nil {
		return err
	}
	if err := w.mark(ctx); err != nil {
		return err
	}
	if err := w.awaitSome(ctx, 800); err != nil {
		return err
	}
	// Back again; the new one goes on for a while, and is right at the end of the log as well.
	if _, err := w.start(roleLive); err != nil {
		return err
	}
	if w.rng.IntN(2) == 0 {
		newer.kill()
		if _, err = w.spawn(c); err != nil {
			return err
		}
	}
	w.alsoCheck = append(w.alsoCheck, next)
	return w.awaitSome(ctx, 800)
}
