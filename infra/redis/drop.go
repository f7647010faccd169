package redis

import (
	"context"
	_ "embed"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed drop.lua
var dropSource string

// dropScript is stateless and safe for concurrent use.
func dropScript() *goredis.Script { return goredis.NewScript(dropSource) }

// Drop deletes the fence of a partition if it still is of the incarnation, and reports whether it did.
// The owner of the partition, if there is one, notices and opens a new incarnation at the floor; until
// that is filled, answers are degraded. The keys of the dropped incarnation are garbage: see [Store.Sweep].
func (s *Store) Drop(ctx context.Context, keys Keys, incarnation string) (bool, error) {
	return s.drop(ctx, keys, named(incarnation))
}

// DropRaw is Drop of a fence that cannot be parsed, by all of its bytes.
func (s *Store) DropRaw(ctx context.Context, keys Keys, raw string) (bool, error) {
	return s.drop(ctx, keys, raw)
}

func (s *Store) drop(ctx context.Context, keys Keys, holds string) (bool, error) {
	n, err := s.runDrop(ctx, []string{keys.Fence()}, holds)
	if err != nil {
		return false, fmt.Errorf("drop fence %s: %w", keys.Fence(), err)
	}
	return n == 1, nil
}

func (s *Store) runDrop(ctx context.Context, keys []string, holds string) (int64, error) {
	reply, err := dropScript().Run(ctx, s.client, keys, holds).Slice()
	if err != nil {
		return 0, err
	}
	if len(reply) == 2 {
		if n, ok := reply[0].(int64); ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf("unexpected reply of %d elements from the script", len(reply))
}

// named is the part of an encoded fence that names the incarnation; no other part can hold it, because
// quotes inside of texts are escaped.
func named(incarnation string) string { return `"incarnation":"` + incarnation + `"` }
