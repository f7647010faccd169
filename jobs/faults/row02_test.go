//go:build integration

package faults

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// kills lets the live process and the archiver die at each of their points in turn, in an order of the seed's, while
// records come in.
func kills(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	// More invalid records than usual: each batch should have letters to die at.
	s := w.newShop()
	f := w.flowOf(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		drafts, err := s.ordinary(25)
		if err != nil {
			return err
		}
		return w.send(ctx, append(drafts, invalid(fmt.Sprintf("u%d", s.rng.IntN(s.users)), []byte("poison"))))
	})
	livePoints := []string{afterLoad, beforeFence, afterFence, beforeLetters, afterLetters, commitSent, commitDone}
	archivePoints := []string{beforePut, afterPut, beforeIndex, afterIndex}
	w.rng.Shuffle(len(livePoints), func(i, j int) { livePoints[i], livePoints[j] = livePoints[j], livePoints[i] })
	w.rng.Shuffle(len(archivePoints), func(i, j int) { archivePoints[i], archivePoints[j] = archivePoints[j], archivePoints[i] })
	// A fence is opened once a partition, so these come first.
	lives := deaths(w, roleLive, append([]string{beforeOpen, afterOpen}, livePoints...))
	archives := deaths(w, roleArchive, archivePoints)
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return w.die(inner, lives) })
	g.Go(func() error { return w.die(inner, archives) })
	if err := g.Wait(); err != nil {
		_ = f.stop() // the death that did not come is what matters
		return err
	}
	if err := f.stop(); err != nil {
		return err
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// deaths draws at which passage of each point a process dies.
func deaths(w *world, role string, points []string) []childConfig {
	var out []childConfig
	for _, point := range points {
		c := w.child(role)
		c.Crash, c.CrashAt = point, 1+w.rng.IntN(5)
		switch point {
		case beforeOpen, afterOpen:
			c.CrashAt = 1
		case commitSent, commitDone:
			c.CrashAt = 1 + w.rng.IntN(2)
		}
		if role == roleArchive {
			c.Rows = 20 + w.rng.IntN(100)
		} else {
			c.Batch = 1 + w.rng.IntN(100)
		}
		out = append(out, c)
	}
	return out
}

// die runs processes one after the other, each until it has died at its point.
func (w *world) die(ctx context.Context, configs []childConfig) error {
	for _, c := range configs {
		p, err := w.spawn(c)
		if err != nil {
			return err
		}
		err = await(ctx, fmt.Sprintf("%s dies %s, passage %d", p.name, c.Crash, c.CrashAt), func() (bool, error) { return p.ended(), nil })
		if err == nil && p.cmd.ProcessState.ExitCode() >= 0 {
			err = fmt.Errorf("%s ended by itself (%s) and not %s", p.name, p.cmd.ProcessState, c.Crash)
		}
		if err != nil {
			return fmt.Errorf("%w; its log ends:\n%s", err, p.tail())
		}
	}
	return nil
}
