package redis

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// slice is how many keys one command of a sweep looks at or deletes, so that the server is never busy
// for long.
const slice = 500

// Stored is a fence that lies in Redis.
type Stored struct {
	Namespace string
	Key       string
	Raw       string
}

// Fences returns all fences of all namespaces, in no order. It reads the names of all keys, in slices.
func (s *Store) Fences(ctx context.Context) ([]Stored, error) {
	var mu sync.Mutex
	var all []Stored
	err := s.scan(ctx, keyPrefix+"*:fence", func(ctx context.Context, names []string) error {
		for _, name := range names {
			k, ok := parseKey(name)
			if !ok || k.incarnation != "" {
				continue
			}
			raw, err := s.client.Get(ctx, name).Result()
			if errors.Is(err, goredis.Nil) {
				continue // dropped meanwhile
			}
			if err != nil {
				return fmt.Errorf("read fence %s: %w", name, err)
			}
			mu.Lock()
			all = append(all, Stored{k.namespace, name, raw})
			mu.Unlock()
		}
		return nil
	})
	return all, err
}

// DropStored deletes a fence that [Store.Fences] found, if its namespace still has the same incarnation
// there, and reports whether it did.
func (s *Store) DropStored(ctx context.Context, f Stored) (bool, error) {
	holds := f.Raw
	if fence, err := ParseFence(f.Raw); err == nil {
		holds = named(fence.Incarnation)
	}
	n, err := s.dropFence(ctx, f.Key, func(raw string) bool { return strings.Contains(raw, holds) })
	if err != nil {
		return false, fmt.Errorf("drop fence %s: %w", f.Key, err)
	}
	return n == 1, nil
}

// Sweep deletes the keys of incarnations that no fence names, and returns how many they were. An
// incarnation that was left never comes back, so who else works on the partition does not matter: the
// fence is watched by the very transaction that deletes. Should Redis lose writes and have an older fence
// again, then that is the fence which the transaction sees.
//
// It reads the names of all keys, on every master of a cluster, in slices, and rests after each for as
// long as it took.
func (s *Store) Sweep(ctx context.Context) (deleted int64, err error) {
	var mu sync.Mutex // masters are swept at the same time
	living := map[incarnationKey]bool{}
	err = s.scan(ctx, keyPrefix+"*", func(ctx context.Context, names []string) error {
		groups := map[incarnationKey][]string{}
		for _, name := range names {
			if k, ok := parseKey(name); ok && k.incarnation != "" {
				groups[k] = append(groups[k], name)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for k, keys := range groups {
			n, err := s.sweepGroup(ctx, k, keys, living)
			if err != nil {
				return err
			}
			deleted += n
		}
		return nil
	})
	return deleted, err
}

// sweepGroup deletes keys of one incarnation, unless it lives. What was found to live once is not asked
// for again in the same sweep.
func (s *Store) sweepGroup(ctx context.Context, k incarnationKey, keys []string, living map[incarnationKey]bool) (deleted int64, err error) {
	if living[k] {
		return 0, nil
	}
	g := s.guard(k.fence())
	defer func() { err = errors.Join(err, g.Close()) }()
	unnamed := func(raw string) bool { return !strings.Contains(raw, named(k.incarnation)) }
	for len(keys) > 0 {
		n := min(len(keys), slice)
		gone, err := g.remove(ctx, unnamed, "UNLINK", keys[:n]...)
		if err != nil {
			return deleted, fmt.Errorf("delete keys of incarnation %s at %s: %w", k.incarnation, k.fence(), err)
		}
		if gone == 0 {
			living[k] = true // or somebody else has deleted them: the next sweep would find the rest
			return deleted, nil
		}
		deleted += gone
		keys = keys[n:]
	}
	return deleted, nil
}

// keyPrefix begins all keys; a key's slot is this, the tag, and "}:".
const keyPrefix = "anabranch:{"

// incarnationKey is what a key tells of its place. A fence's has no incarnation.
type incarnationKey struct{ slot, namespace, incarnation string }

func (k incarnationKey) fence() string { return k.slot + k.namespace + ":fence" }

// ownKey matches what [Keys] builds: slot, namespace, and either "fence" or an incarnation's rest.
var ownKey = regexp.MustCompile(`^(anabranch:\{[^{}]+\}:)([^:]+):(.)`)

var incarnationEnd = regexp.MustCompile(`^(.+)-([0-9A-HJKMNP-TV-Z]{26})$`)

func parseKey(name string) (k incarnationKey, ok bool) {
	m := ownKey.FindStringSubmatch(name)
	if m == nil {
		return k, false
	}
	if parts := incarnationEnd.FindStringSubmatch(m[2]); parts != nil {
		return incarnationKey{m[1], parts[1], parts[2]}, true
	}
	return incarnationKey{slot: m[1], namespace: m[2]}, strings.TrimPrefix(name, m[1]+m[2]) == ":fence"
}

// scan calls visit with the names that match, a slice at a time; of a cluster on every master, at the
// same time. A name may come twice.
func (s *Store) scan(ctx context.Context, match string, visit func(context.Context, []string) error) error {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *goredis.Client) error {
			return scanServer(ctx, master, match, visit)
		})
	}
	return scanServer(ctx, s.client, match, visit)
}

func scanServer(ctx context.Context, server goredis.Cmdable, match string, visit func(context.Context, []string) error) error {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for cursor := uint64(0); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-rest.C:
		}
		began := time.Now()
		names, next, err := server.Scan(ctx, cursor, match, slice).Result()
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		if err := visit(ctx, names); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
		rest.Reset(time.Since(began))
	}
}
