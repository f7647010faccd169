package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed commit.lua
var commitSource string

// Store reads and moves fences. It holds no state of its own and is safe for concurrent use.
type Store struct {
	client goredis.UniversalClient
	commit *goredis.Script
}

// NewStore returns a store over a client, which stays the caller's to close.
func NewStore(client goredis.UniversalClient) *Store {
	return &Store{client: client, commit: goredis.NewScript(commitSource)}
}

// KV is one key and the absolute value to store under it.
type KV struct {
	Key   string
	Value []byte
}

// SetChange adds members to a set and removes others. Both may be there already, or not at all: repeating it
// changes nothing.
type SetChange struct {
	Key         string
	Add, Remove []string
}

// Result is what a commit found.
type Result struct {
	// OK says that the fence moved and everything was written.
	OK bool
	// Stored is the raw fence in Redis after the call, "" where there is none.
	Stored string
}

// ReadFence returns the fence of a partition, parsed and raw; ok is false where there is none. The
// raw form is what [Store.Commit] expects.
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

// Open creates the fence of a namespace. Where one exists already nothing changes and the result
// carries it.
func (s *Store) Open(ctx context.Context, keys Keys, fence Fence) (Result, error) {
	return s.move(ctx, keys, "", fence, nil, nil, nil)
}

// Commit moves the fence from expectedRaw to next and writes and deletes the given keys and changes the sets with
// it, or changes nothing because the stored fence is another one. A key that is in both lists is deleted.
// All keys must lie in the partition's slot ([Keys.Slot]).
//
// The server is busy while the script runs: keep a call to some thousands of keys.
func (s *Store) Commit(ctx context.Context, keys Keys, expectedRaw string, next Fence, writes []KV, deletes []string, sets ...SetChange) (Result, error) {
	if expectedRaw == "" {
		return Result{}, fmt.Errorf("commit to %s: no expected fence given, use Open", keys.Fence())
	}
	return s.move(ctx, keys, expectedRaw, next, writes, deletes, sets)
}

func (s *Store) move(ctx context.Context, keys Keys, expected string, next Fence, writes []KV, deletes []string, sets []SetChange) (Result, error) {
	nextRaw, err := next.Encode()
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", keys.Fence(), err)
	}
	names, args, err := scriptArguments(keys, expected, nextRaw, writes, deletes, sets)
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", keys.Fence(), err)
	}
	reply, err := s.commit.Run(ctx, s.client, names, args...).Slice()
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", keys.Fence(), err)
	}
	return parseReply(keys, reply)
}

func scriptArguments(keys Keys, expected, next string, writes []KV, deletes []string, sets []SetChange) (names []string, args []any, err error) {
	slot, fenceKey := keys.Slot(), keys.Fence()
	names = make([]string, 0, 1+len(writes)+len(deletes)+len(sets))
	args = make([]any, 0, 4+len(writes))
	names = append(names, fenceKey)
	args = append(args, expected, next, len(writes), len(deletes))
	for _, w := range writes {
		names = append(names, w.Key)
		args = append(args, w.Value)
	}
	names = append(names, deletes...)
	for _, c := range sets {
		names = append(names, c.Key)
		args = append(args, len(c.Add), len(c.Remove))
		for _, member := range c.Add {
			args = append(args, member)
		}
		for _, member := range c.Remove {
			args = append(args, member)
		}
	}
	for _, name := range names[1:] {
		// The key itself may hold a user's id, so the error does not show it.
		if !strings.HasPrefix(name, slot) || name == fenceKey {
			return nil, nil, fmt.Errorf("a key is the fence itself or lies outside %s", slot)
		}
	}
	return names, args, nil
}

func parseReply(keys Keys, reply []any) (Result, error) {
	if len(reply) == 2 {
		moved, okMoved := reply[0].(int64)
		stored, okStored := reply[1].(string)
		if okMoved && okStored {
			return Result{OK: moved == 1, Stored: stored}, nil
		}
	}
	return Result{}, fmt.Errorf("commit to %s: unexpected reply of %d elements from the script", keys.Fence(), len(reply))
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
