package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/stream/live"
)

const (
	// sweepEvery is how often what is left of old live state is looked for: garbage costs memory, no more.
	sweepEvery = time.Hour
	// retireAfter is how long a namespace must have been needed by nobody before it goes. A deployment may
	// restart its runners meanwhile; were one retired too early, it would only have to be filled again.
	retireAfter = time.Hour
)

// sweeper deletes live state that nobody needs: keys of incarnations that no fence names, and whole
// namespaces of definitions that are neither configured, nor those of a retained generation, nor kept
// up by runners of anybody else, such as the new ones of a rolling deployment.
type sweeper struct {
	store  *redis.Store
	client *kgo.Client
	log    *slog.Logger
	now    func() time.Time

	needed func() []string // the namespaces that this process keeps up
	owns   func() bool     // of the processes that share the work one sweeps: the owner of partition 0
	after  time.Duration

	unneeded map[string]time.Time // since when each was seen to be
}

func (rt *runtimeEnv) newSweeper(p *parts, client goredis.UniversalClient, runner *liveSet) *sweeper {
	return &sweeper{
		store: redis.NewStore(client), client: p.client, log: rt.log, now: rt.now, needed: runner.namespaces, after: retireAfter,
		owns: func() bool {
			return slices.ContainsFunc(runner.Status(), func(s live.PartitionStatus) bool { return s.Partition == 0 && s.Running })
		},
		unneeded: map[string]time.Time{},
	}
}

// run sweeps until ctx ends. What fails is tried again the next time.
func (s *sweeper) run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !s.owns() {
			clear(s.unneeded)
			continue
		}
		if _, err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("old live state not swept", "error", err)
		}
	}
}

// swept says what a sweep deleted.
type swept struct {
	Namespaces []string `json:"namespaces"` // whose fences were dropped
	Keys       int64    `json:"keys"`
}

// sweep retires namespaces whose time has come and deletes the keys of incarnations that no fence names.
func (s *sweeper) sweep(ctx context.Context) (out swept, err error) {
	fences, err := s.store.Fences(ctx)
	if err != nil {
		return out, err
	}
	retired, err := s.retired(ctx, fences)
	if err != nil {
		return out, err
	}
	for _, f := range fences {
		if !slices.Contains(retired, f.Namespace) {
			continue
		}
		if _, err := s.store.DropStored(ctx, f); err != nil {
			return out, err
		}
	}
	out.Namespaces = retired
	if out.Keys, err = s.store.Sweep(ctx); err != nil {
		return out, err
	}
	if out.Keys > 0 || len(retired) > 0 {
		s.log.Info("old live state deleted", "keys", out.Keys, "namespaces", retired)
	}
	return out, nil
}

// retired returns the namespaces that nobody has needed for long enough.
func (s *sweeper) retired(ctx context.Context, fences []redis.Stored) (out []string, err error) {
	inUse, err := liveGroups(ctx, s.client)
	if err != nil {
		return nil, err
	}
	needed, now, still := s.needed(), s.now(), map[string]time.Time{}
	for _, f := range fences {
		if slices.Contains(needed, f.Namespace) || inUse[live.GroupOf(f.Namespace)] {
			continue
		}
		since, known := s.unneeded[f.Namespace]
		if !known {
			since = now
		}
		if still[f.Namespace] = since; now.Sub(since) >= s.after && !slices.Contains(out, f.Namespace) {
			out = append(out, f.Namespace)
		}
	}
	s.unneeded = still
	slices.Sort(out)
	return out, nil
}

// liveGroups returns the consumer groups that have members now, of any protocol.
func liveGroups(ctx context.Context, client *kgo.Client) (map[string]bool, error) {
	listed, err := kadm.NewClient(client).ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up who keeps live state: %w", err)
	}
	out := map[string]bool{}
	for name, g := range listed {
		out[name] = g.State != "Empty" && g.State != "Dead"
	}
	return out, nil
}
