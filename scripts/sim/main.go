// Command sim plays simulated histories (jobs/sim) until one goes wrong:
//
//	go run ./scripts/sim -seeds 10000            # seeds 1 to 10000
//	go run ./scripts/sim -seed 17                # one seed
//	go run ./scripts/sim -duration 60s           # as many as there is time for
//	go run ./scripts/sim -replay history.txt     # what a failure printed, or was changed to
//
// A failure is printed as a shrunk history with what was expected and got, and the exit code is 1.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anabranch/anabranch/jobs/sim"
)

func main() {
	debug.SetGCPercent(400) // histories are small and make much garbage
	switch err := run(os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

type options struct {
	first, seeds     uint64
	workers, trials  int
	duration, report time.Duration
	replay           string
}

func run(args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("sim", flag.ContinueOnError)
	flags.Uint64Var(&o.first, "seed", 1, "the first seed")
	flags.Uint64Var(&o.seeds, "seeds", 0, "how many seeds; 0: one, or as many as -duration allows")
	flags.IntVar(&o.workers, "workers", 2, "histories that are played at the same time")
	flags.IntVar(&o.trials, "trials", 1500, "histories that are played to shrink a failure")
	flags.DurationVar(&o.duration, "duration", 0, "stop after this time; 0: never")
	flags.DurationVar(&o.report, "report", 10*time.Second, "between two lines of progress")
	flags.StringVar(&o.replay, "replay", "", "play the history in this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.workers < 1 {
		return fmt.Errorf("-workers %d: at least 1 is required", o.workers)
	}
	if o.replay != "" {
		return replay(o.replay, out)
	}
	if o.seeds == 0 {
		o.seeds = 1
		if o.duration > 0 {
			o.seeds = 1 << 62
		}
	}
	return o.play(out)
}

// replay plays the history in a file.
func replay(name string, out io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := sim.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if failure := h.Run(); failure != nil {
		fmt.Fprint(out, failure)
		return errors.New("the history fails")
	}
	fmt.Fprintf(out, "%d steps, nothing went wrong\n", len(h.Ops))
	return nil
}

// play plays the seeds in order until one fails or the time is over.
func (o options) play(out io.Writer) error {
	started := time.Now()
	var next, done atomic.Uint64
	var failed atomic.Pointer[sim.Failure]
	over := func() bool { return o.duration > 0 && time.Since(started) >= o.duration }
	var all sync.WaitGroup
	for range o.workers {
		all.Go(func() {
			for !over() && failed.Load() == nil {
				n := next.Add(1) - 1
				if n >= o.seeds {
					return
				}
				if f := sim.Generate(o.first + n).Run(); f != nil {
					failed.CompareAndSwap(nil, f)
				}
				done.Add(1)
			}
		})
	}
	finished := make(chan struct{})
	go func() { all.Wait(); close(finished) }()
	tick := time.NewTicker(o.report)
	defer tick.Stop()
	tell := func() {
		n, seconds := done.Load(), time.Since(started).Seconds()
		fmt.Fprintf(out, "%d seeds from %d in %.1f s, %.1f seeds/s\n", n, o.first, seconds, float64(n)/seconds)
	}
	for {
		select {
		case <-tick.C:
			tell()
			continue
		case <-finished:
		}
		break
	}
	tell()
	if f := failed.Load(); f != nil {
		fmt.Fprintf(out, "seed %d fails; shrinking its %d steps\n\n", f.Seed, len(f.Ops))
		fmt.Fprint(out, sim.Shrink(f, o.trials))
		return fmt.Errorf("seed %d fails", f.Seed)
	}
	return nil
}
