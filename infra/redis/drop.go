package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Drop deletes the fence of a partition if it still is of the incarnation, and reports whether it did.
// The owner of the partition, if there is one, notices and opens a new incarnation at the floor; until
// that is filled, answers are degraded. The keys of the dropped incarnation are garbage: see [Store.Sweep].
func (s *Store) Drop(ctx context.Context, keys Keys, incarnation string) (bool, error) {
	return s.drop(ctx, keys, func(raw string) bool { return strings.Contains(raw, named(incarnation)) })
}

// DropRaw is Drop of a fence that cannot be parsed, by all of its bytes.
func (s *Store) DropRaw(ctx context.Context, keys Keys, raw string) (bool, error) {
	return s.drop(ctx, keys, func(stored string) bool { return stored == raw })
}

func (s *Store) drop(ctx context.Context, keys Keys, wanted func(raw string) bool) (bool, error) {
	n, err := s.dropFence(ctx, keys.Fence(), wanted)
	if err != nil {
		return false, fmt.Errorf("drop fence %s: %w", keys.Fence(), err)
	}
	return n == 1, nil
}

// dropFence deletes a fence while it is one that is wanted, and returns how many were deleted.
func (s *Store) dropFence(ctx context.Context, fence string, wanted func(raw string) bool) (n int64, err error) {
	g := s.guard(fence)
	defer func() { err = errors.Join(err, g.Close()) }()
	return g.remove(ctx, func(raw string) bool { return raw != "" && wanted(raw) }, "DEL", fence)
}

// remove deletes keys with a command while the fence is one that is wanted, "" for none, and returns how many there were.
func (g *guard) remove(ctx context.Context, wanted func(raw string) bool, command string, names ...string) (n int64, err error) {
	replies, _, err := g.transact(ctx, wanted, func(p goredis.Pipeliner) { queue(ctx, p, names, command) })
	if err != nil {
		return 0, err
	}
	for _, r := range replies {
		count, ok := r.(int64)
		if !ok {
			return 0, fmt.Errorf("%s answered with a %T", command, r)
		}
		n += count
	}
	return n, nil
}

// named is the part of an encoded fence that names the incarnation; no other part can hold it, because
// quotes inside of texts are escaped.
func named(incarnation string) string { return `"incarnation":"` + incarnation + `"` }
