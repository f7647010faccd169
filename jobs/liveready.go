package jobs

import (
	"context"
	"time"

	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// liveReady returns the condition under which a generation may be served: live state by its definitions
// reaches back to its cut in every partition (DESIGN §4.2). Where nobody keeps live state at all, or no Redis is
// named, there is nothing to wait for: answers then say that live state is absent.
func (rt *runtimeEnv) liveReady(p *parts) func(context.Context, model.Manifest) error {
	if p.servers == nil || p.redis == "" {
		return nil
	}
	return func(ctx context.Context, m model.Manifest) error {
		return patiently(ctx, livePatience, func() error { return rt.checkLive(ctx, p, m) })
	}
}

// livePatience is how long a night waits for a stream that has just been started.
const livePatience = 5 * time.Second

// patiently repeats f while it is unavailable, for so long at most.
func patiently(ctx context.Context, most time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if api.CodeOf(err) != api.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// checkLive looks once.
func (rt *runtimeEnv) checkLive(ctx context.Context, p *parts, m model.Manifest) error {
	client, err := redis.Dial(p.redis)
	if err != nil {
		return api.Errorf(api.Invalid, "--redis: %w", err)
	}
	defer func() { _ = client.Close() }()
	store, namespace := redis.NewStore(client), tile.NamespaceOf(m.Inputs.Definition)
	found := 0
	for n := range m.Inputs.Cut {
		fence, _, ok, err := store.ReadFence(ctx, redis.Keys{Partition: n, Namespace: namespace})
		switch {
		case err != nil:
			rt.log.Warn("publishing without a look at live state", "error", err)
			return nil
		case ok && fence.Base > m.Inputs.CutN:
			return api.Errorf(api.Unavailable, "generation %s needs live state from epoch %d on, partition %d has it from %d on: run the night of a later date",
				m.ID, m.Inputs.CutN, n, fence.Base)
		case ok:
			found++
		}
	}
	if found == len(m.Inputs.Cut) || found == 0 && !keepsLive(ctx, store, p.bucket, m) {
		return nil
	}
	return api.Errorf(api.Unavailable, "live state by the definitions of generation %s (namespace %s) is kept in %d of %d partitions: "+
		"start `anabranch stream` with the same --features and run this again", m.ID, namespace, found, len(m.Inputs.Cut))
}

// keepsLive reports whether anybody keeps live state by the definitions that are served now.
func keepsLive(ctx context.Context, store *redis.Store, b *bucket.Bucket, m model.Manifest) bool {
	served, err := publish.Show(ctx, b, "")
	if err != nil {
		return false
	}
	for n := range m.Inputs.Cut {
		keys := redis.Keys{Partition: n, Namespace: tile.NamespaceOf(served.Inputs.Definition)}
		if _, _, ok, err := store.ReadFence(ctx, keys); ok && err == nil {
			return true
		}
	}
	return false
}
