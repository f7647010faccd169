package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

type rebuildStreamCmd struct {
	stores
	definitions
	Partition int32 `default:"-1" placeholder:"N" help:"This partition of the events topic alone; all when absent."`
	Clean     bool  `help:"Rebuild nothing, but delete the state of incarnations that no fence names and of definitions that nobody needs."`
	Yes       bool  `help:"Do it. Without, only what would be done is printed."`
	Force     bool  `help:"Also where Kafka no longer holds the records to fill the state from: live state is then absent until a generation covers them."`
	JSON      bool  `help:"Print JSON objects."`
}

// Run drops fences, so that the live runners open new incarnations at the floor. The state that is
// served goes at once; answers are degraded until the new one is filled.
func (c *rebuildStreamCmd) Run(rt *runtimeEnv) (err error) {
	features, err := c.catalogue()
	if err != nil {
		return err
	}
	p, err := rt.open(&c.stores, 0, false)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	if c.Partition >= p.topics.Partitions {
		return api.Errorf(api.Invalid, "--partition %d: the events topic has %d partitions, 0 to %d are accepted", c.Partition, p.topics.Partitions, p.topics.Partitions-1)
	}
	client, err := rt.dialRedis(p.servers, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	namespaces, err := neededNamespaces(rt.ctx, p, features)
	if err != nil {
		return err
	}
	if c.Clean {
		s := &sweeper{
			store: redis.NewStore(client), client: p.client, log: rt.log, now: rt.now, unneeded: map[string]time.Time{},
			needed: func() []string { return namespaces },
		}
		return c.clean(rt, s)
	}
	return c.rebuild(rt, p, redis.NewStore(client), namespaces)
}

// neededNamespaces returns those of the configured definitions and of the retained generations'.
func neededNamespaces(ctx context.Context, p *parts, configured feature.Catalogue) ([]string, error) {
	all, _, err := retainedCatalogues(ctx, p.bucket, map[string]feature.Catalogue{configured.Hash(): configured})
	if err != nil {
		return nil, err
	}
	names := map[string]struct{}{tile.Namespace(configured): {}}
	for hash := range all {
		names[tile.NamespaceOf(hash)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// clean deletes what nobody needs.
func (c *rebuildStreamCmd) clean(rt *runtimeEnv, s *sweeper) error {
	if !c.Yes {
		fences, err := s.store.Fences(rt.ctx)
		if err != nil {
			return err
		}
		retired, err := s.retired(rt.ctx, fences)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(rt.stdout, "would delete the namespaces %v and the keys of all incarnations that no fence names\n", retired); err != nil {
			return err
		}
		return c.askYes()
	}
	done, err := s.sweep(rt.ctx)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(rt.stdout, done)
	}
	_, err = fmt.Fprintf(rt.stdout, "deleted %d keys and the namespaces %v\n", done.Keys, done.Namespaces)
	return err
}

func (c *rebuildStreamCmd) askYes() error {
	return api.Errorf(api.Invalid, "nothing is done: say --yes to do it")
}

// refill is what the rebuild of one partition of one namespace is about.
type refill struct {
	Namespace string `json:"namespace"`
	Partition int32  `json:"partition"`
	Now       string `json:"now"`     // where the state stands
	From      int64  `json:"from"`    // the offset to fill the new one from
	Records   int64  `json:"records"` // to read until it is whole
	Dropped   bool   `json:"dropped"`

	keys    redis.Keys
	fence   redis.Fence // the zero value where raw cannot be read
	raw     string
	missing int64 // records that Kafka no longer holds
}

// rebuild says what there is to do and does it.
func (c *rebuildStreamCmd) rebuild(rt *runtimeEnv, p *parts, store *redis.Store, namespaces []string) error {
	plan, err := c.plan(rt, p, store, namespaces)
	if err != nil {
		return err
	}
	if len(plan) == 0 {
		return api.Errorf(api.NotFound, "there is no live state to rebuild in the namespaces %v: `anabranch stream` opens it by itself", namespaces)
	}
	for i := range plan {
		r := &plan[i]
		if r.missing > 0 && !c.Force {
			return api.Errorf(api.Invalid, "partition %d: the state is to be filled from offset %d, but Kafka lacks %d records from there on, so that the partition would halt: "+
				"publish a generation of a later cut first (`anabranch nightly`), or say --force", r.Partition, r.From, r.missing)
		}
		if c.Yes {
			if r.Dropped, err = r.drop(rt.ctx, store); err != nil {
				return err
			}
		}
		if err := c.show(rt, r); err != nil {
			return err
		}
	}
	if !c.Yes {
		return c.askYes()
	}
	return nil
}

// plan looks at every fence concerned.
func (c *rebuildStreamCmd) plan(rt *runtimeEnv, p *parts, store *redis.Store, namespaces []string) ([]refill, error) {
	start, err := kafka.StartOffsets(rt.ctx, p.client, kafka.EventsTopic)
	if err != nil {
		return nil, api.Errorf(api.Unavailable, "%w", err)
	}
	end, err := kafka.EndOffsets(rt.ctx, p.client, kafka.EventsTopic)
	if err != nil {
		return nil, api.Errorf(api.Unavailable, "%w", err)
	}
	f, err := newFloor(rt.ctx, p.bucket)
	if err != nil {
		return nil, err
	}
	var plan []refill
	for _, namespace := range namespaces {
		for n := range p.topics.Partitions {
			if c.Partition >= 0 && n != c.Partition {
				continue
			}
			keys := redis.Keys{Partition: n, Namespace: namespace}
			fence, raw, found, err := store.ReadFence(rt.ctx, keys)
			if err != nil && raw == "" {
				return nil, err
			}
			if !found && raw == "" {
				continue
			}
			origin, err := f.origin(rt.ctx, n)
			if err != nil {
				return nil, err
			}
			r := refill{Namespace: namespace, Partition: n, Now: "unreadable", keys: keys, fence: fence, raw: raw}
			if found {
				r.Now = fmt.Sprintf("incarnation %s, epochs from %d on, at offset %d", fence.Incarnation, fence.Base, fence.Next)
			}
			r.From, r.Records = origin.Offset, max(0, end[n]-origin.Offset)
			r.missing = max(0, start[n]-origin.Offset)
			plan = append(plan, r)
		}
	}
	return plan, nil
}

// drop deletes the fence, unless somebody has opened another incarnation meanwhile.
func (r *refill) drop(ctx context.Context, store *redis.Store) (bool, error) {
	if r.fence.Incarnation == "" {
		return store.DropRaw(ctx, r.keys, r.raw)
	}
	return store.Drop(ctx, r.keys, r.fence.Incarnation)
}

// show prints what is to be done, or was done, about a partition.
func (c *rebuildStreamCmd) show(rt *runtimeEnv, r *refill) error {
	if c.JSON {
		return printJSON(rt.stdout, r)
	}
	did := "would be dropped, and filled"
	switch {
	case r.Dropped:
		did = "dropped; a running `anabranch stream` fills it"
	case c.Yes:
		did = "left alone, because somebody has opened a new incarnation meanwhile; it is filled"
	}
	_, err := fmt.Fprintf(rt.stdout, "partition %d of %s (%s): %s anew from offset %d on, %d records\n", r.Partition, r.Namespace, r.Now, did, r.From, r.Records)
	return err
}
