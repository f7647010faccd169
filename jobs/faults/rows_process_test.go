//go:build integration

package faults

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/kafka"
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
		f.cancel()
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
		case commitSent, commitDone, afterLoad: // once the states are in its cache, a process loads no more
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

// terminate asks live process and archiver to end under load, several times.
func terminate(ctx context.Context, w *world, l, a *process) error {
	for range 3 {
		if err := w.awaitSome(ctx, 1200); err != nil {
			return err
		}
		if err := l.stop(); err != nil {
			return err
		}
		if err := a.stop(); err != nil {
			return err
		}
		var err error
		if l, a, err = w.pair(); err != nil {
			return err
		}
	}
	return nil
}

// zombie stops an owner for longer than its session, lets another take over, and wakes it up.
func zombie(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	c := w.child(roleLive) // both of one group
	sleeper, err := w.spawn(c)
	if err != nil {
		return err
	}
	sleepingArchiver, err := w.start(roleArchive)
	if err != nil {
		return err
	}
	f := w.flow(ctx, 20, 10*time.Millisecond)
	defer f.cancel()
	if err := w.awaitSome(ctx, 800); err != nil {
		return err
	}
	if err := sleeper.awaitLog(ctx, "live state opened"); err != nil {
		return err
	}
	for _, p := range []*process{sleeper, sleepingArchiver} {
		if err := p.signal(syscall.SIGSTOP); err != nil {
			return err
		}
	}
	heir, err := w.spawn(c)
	if err != nil {
		return err
	}
	if _, err := w.start(roleArchive); err != nil {
		return err
	}
	if err := heir.awaitLog(ctx, "live partition assigned"); err != nil {
		return err
	}
	// It has taken over when the fences move.
	before, err := w.fences(ctx, w.catalogue)
	if err != nil {
		return err
	}
	if err := await(ctx, "the heir moves the fences", func() (bool, error) {
		now, err := w.fences(ctx, w.catalogue)
		return err == nil && now[0].Next > before[0].Next, err
	}); err != nil {
		return err
	}
	for _, p := range []*process{sleeper, sleepingArchiver} {
		if err := p.signal(syscall.SIGCONT); err != nil {
			return err
		}
	}
	if err := w.awaitSome(ctx, 1000); err != nil {
		return err
	}
	if err := f.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// storm lets the group grow to eight workers and shrink to one, again and again; some of them are killed.
func storm(ctx context.Context, w *world) error {
	w.partitions = 8
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	if _, err := w.start(roleArchive); err != nil {
		return err
	}
	pace := time.Second
	if w.full {
		pace = 5 * time.Second
	}
	c := w.child(roleLive)
	f := w.flow(ctx, 40, 20*time.Millisecond)
	defer f.cancel()
	var workers []*process
	for range 2 {
		for len(workers) < 8 {
			p, err := w.spawn(c)
			if err != nil {
				return err
			}
			workers = append(workers, p)
		}
		wait(ctx, pace)
		killed := w.rng.IntN(8)
		for len(workers) > 1 {
			i := w.rng.IntN(len(workers))
			if len(workers) == killed {
				workers[i].kill()
			} else if err := workers[i].stop(); err != nil {
				return err
			}
			workers = slices.Delete(workers, i, i+1)
		}
		wait(ctx, pace)
	}
	if err := f.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// kafkaDown kills the broker and starts it again after a while.
func kafkaDown(ctx context.Context, w *world, _, a *process) error {
	if err := w.awaitSome(ctx, 800); err != nil {
		return err
	}
	if err := w.kafka.Kill(); err != nil {
		return err
	}
	down := 4 * time.Second
	if w.full {
		down = time.Minute
	}
	wait(ctx, down)
	if err := w.kafka.Start(ctx); err != nil {
		return err
	}
	// An archiver that cannot read ends, saying that trying again may help: whoever runs it does so.
	if err := w.awaitProduced(ctx, 500); err != nil {
		return err
	}
	return w.again(a)
}

// again starts an archiver that has ended as one that asks to be started again.
func (w *world) again(a *process) error {
	if !a.ended() {
		return nil
	}
	if code := a.cmd.ProcessState.ExitCode(); code != tryAgain {
		return fmt.Errorf("%s ended with code %d, not %d (try again); its log ends:\n%s", a.name, code, tryAgain, a.tail())
	}
	_, err := w.start(roleArchive)
	return err
}

// tryAgain is EX_TEMPFAIL.
const tryAgain = 75

// operator moves the offsets of the live group to and fro while nobody reads, and while somebody does.
func operator(ctx context.Context, w *world, l, _ *process) error {
	c := w.child(roleLive)
	for i := range 4 {
		if err := w.awaitSome(ctx, 600); err != nil {
			return err
		}
		if err := l.stop(); err != nil {
			return err
		}
		end, err := kafka.EndOffsets(ctx, w.client, w.topic)
		if err != nil {
			return err
		}
		for p, at := range end {
			switch i % 3 {
			case 0: // rewind
				end[p] = 0
			case 1: // somewhere
				end[p] = w.rng.Int64N(at + 1)
			case 2: // to the end, and beyond
				end[p] = at + w.rng.Int64N(1000)
			}
		}
		if err := w.commit(ctx, c.Group, end); err != nil {
			return err
		}
		if l, err = w.spawn(c); err != nil {
			return err
		}
	}
	return nil
}
