package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// Store reads and moves fences. It holds no state of its own and is safe for concurrent use.
type Store struct {
	client goredis.UniversalClient
}

// NewStore returns a store over a client, which stays the caller's to close.
func NewStore(client goredis.UniversalClient) *Store {
	return &Store{client: client}
}

// ReadFence returns the fence of a partition, parsed and raw; ok is false where there is none. The
// raw form is what [Committer.Commit] expects.
func (s *Store) ReadFence(ctx context.Context, keys Keys) (fence Fence, raw string, ok bool, err error) {
	raw, err = s.client.Get(ctx, keys.Fence()).Result()
	if errors.Is(err, goredis.Nil) {
		return Fence{}, "", false, nil
	}
	if err != nil {
		return Fence{}, "", false, fmt.Errorf("read fence %s: %w", keys.Fence(), err)
	}
	if fence, err = ParseFence(raw); err != nil {
		return Fence{}, raw, false, fmt.Errorf("read fence %s: %w", keys.Fence(), err)
	}
	return fence, raw, true, nil
}

// LoadBlobs reads many keys of one slot with one MGET; a missing key gives nil.
func (s *Store) LoadBlobs(ctx context.Context, keys []string) ([][]byte, error) {
	return MGet(ctx, s.client, keys...)
}

// Members returns the members of a set; a missing one has none.
func (s *Store) Members(ctx context.Context, key string) ([]string, error) {
	members, err := s.client.SMembers(ctx, key).Result()
	if err != nil {
		return nil, fmt.Errorf("read set %s: %w", key, err)
	}
	return members, nil
}

// Sample returns up to n distinct members of a set, any; none of a missing one.
func (s *Store) Sample(ctx context.Context, key string, n int64) ([]string, error) {
	members, err := s.client.SRandMemberN(ctx, key, n).Result()
	if err != nil {
		return nil, fmt.Errorf("read set %s: %w", key, err)
	}
	return members, nil
}

// MGet reads keys of one slot at one instant; a missing key gives nil, an empty value an empty slice.
func MGet(ctx context.Context, client goredis.UniversalClient, keys ...string) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values, err := client.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, fmt.Errorf("read %d keys: %w", len(keys), err)
	}
	blobs := make([][]byte, len(values))
	for i, v := range values {
		if s, ok := v.(string); ok {
			blobs[i] = []byte(s)
		}
	}
	return blobs, nil
}
