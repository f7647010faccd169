package jobs

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/stream/live"
)

// definitionsEvery is how often the retained generations' definitions are looked up.
const definitionsEvery = 2 * time.Second

// liveSet runs a live runner for every definition that somebody reads or will read: the configured one
// and those of the retained generations. A changed catalogue is thereby filled beside the one that is
// served, until a generation has it and the older ones are gone.
type liveSet struct {
	rt         *runtimeEnv
	parts      *parts
	configured feature.Catalogue
	start      func(c feature.Catalogue, reg prometheus.Registerer) (*live.Runner, error)
	reg        *prometheus.Registry
	bound      func(runners int) // optional: is told how many runners there are

	mu      sync.Mutex
	running map[string]*liveRun // by hash
	current string              // hash of the definitions that are served
	failed  chan error
}

// liveRun is a runner at work.
type liveRun struct {
	catalogue feature.Catalogue
	runner    *live.Runner
	stop      func() // stops the runner and waits for it
}

// run keeps the set right until ctx ends or a runner fails.
func (s *liveSet) run(ctx context.Context) error {
	defer s.stopAll()
	if err := s.adjust(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(definitionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.failed:
			return err
		case <-tick.C:
		}
		if err := s.adjust(ctx); err != nil && ctx.Err() == nil {
			s.rt.log.Warn("definitions of the generations not looked up", "error", err)
		}
	}
}

// adjust starts and stops runners. A bucket that is away changes nothing.
func (s *liveSet) adjust(ctx context.Context) error {
	known := map[string]feature.Catalogue{s.configured.Hash(): s.configured}
	s.mu.Lock()
	for hash, r := range s.running {
		known[hash] = r.catalogue
	}
	s.mu.Unlock()
	wanted, current, err := retainedCatalogues(ctx, s.parts.bucket, known)
	if err != nil {
		return err
	}
	if wanted == nil {
		wanted = map[string]feature.Catalogue{}
	}
	wanted[s.configured.Hash()] = s.configured
	s.mu.Lock()
	s.current = current
	have := maps.Clone(s.running)
	s.mu.Unlock()
	for hash, r := range have {
		if _, still := wanted[hash]; !still {
			s.rt.log.Info("live state of retired definitions is no longer kept", "namespace", tile.Namespace(r.catalogue))
			r.stop()
			s.mu.Lock()
			delete(s.running, hash)
			s.mu.Unlock()
		}
	}
	for hash, c := range wanted {
		if have[hash] == nil {
			if err := s.begin(ctx, hash, c); err != nil {
				return err
			}
		}
	}
	if s.bound != nil && len(wanted) != len(have) {
		s.bound(len(wanted))
	}
	return nil
}

// boundHeap lets Go's collector keep a process with so many runners within the memory that they need. What the operator
// says (GOMEMLIMIT) counts more.
func boundHeap(runners int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(live.Memory(runners))
	}
}

// begin starts a runner. Its metrics carry the namespace.
func (s *liveSet) begin(ctx context.Context, hash string, c feature.Catalogue) error {
	namespace := tile.Namespace(c)
	own := prometheus.NewRegistry()
	runner, err := s.start(c, prometheus.WrapRegistererWith(prometheus.Labels{"namespace": namespace}, own))
	if err != nil {
		return fmt.Errorf("live state of namespace %s: %w", namespace, err)
	}
	if err := s.reg.Register(own); err != nil {
		return fmt.Errorf("metrics of namespace %s: %w", namespace, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := runner.Run(ctx); err != nil && ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("live state of namespace %s: %w", namespace, err):
			default: // the first failure ends the set
			}
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[hash] = &liveRun{catalogue: c, runner: runner, stop: func() {
		cancel()
		<-done
		s.reg.Unregister(own)
	}}
	s.rt.log.Info("keeping live state", "namespace", namespace)
	return nil
}

func (s *liveSet) stopAll() {
	s.mu.Lock()
	all := maps.Clone(s.running)
	s.mu.Unlock()
	for _, r := range all {
		r.stop()
	}
}

// namespaces returns those that are kept up now.
func (s *liveSet) namespaces() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for hash := range s.running {
		all = append(all, tile.NamespaceOf(hash))
	}
	return all
}

// Status returns the partitions of the definitions that are served, of the configured ones before the
// first generation.
func (s *liveSet) Status() []live.PartitionStatus {
	s.mu.Lock()
	r := s.running[s.current]
	if r == nil {
		r = s.running[s.configured.Hash()]
	}
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.runner.Status()
}
