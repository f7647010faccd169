package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

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

// Committer moves the fence of one partition together with the state it speaks of. It has a connection of its own, on
// which it watches the fence all the time; so use one an owner, in one goroutine, and close it.
type Committer struct {
	guard
	keys Keys
}

// NewCommitter returns a committer for the partition of the keys. It does not connect yet.
func (s *Store) NewCommitter(keys Keys) *Committer { return &Committer{s.guard(keys.Fence()), keys} }

// Open creates the fence of a namespace. Where one exists already nothing changes and the result
// carries it.
func (c *Committer) Open(ctx context.Context, fence Fence) (Result, error) {
	return c.move(ctx, "", fence, Changes{})
}

// Commit moves the fence from expectedRaw to next and makes the changes with it, or does nothing because the stored fence
// is another one. All keys must lie in the partition's slot ([Keys.Slot]).
//
// The server is busy while it runs the transaction: keep a call to some thousands of keys.
func (c *Committer) Commit(ctx context.Context, expectedRaw string, next Fence, changes Changes) (Result, error) {
	if expectedRaw == "" {
		return Result{}, fmt.Errorf("commit to %s: no expected fence given, use Open", c.keys.Fence())
	}
	return c.move(ctx, expectedRaw, next, changes)
}

func (c *Committer) move(ctx context.Context, expected string, next Fence, changes Changes) (Result, error) {
	raw, err := next.Encode()
	if err == nil {
		err = changes.check(c.keys)
	}
	if err != nil {
		return Result{}, fmt.Errorf("commit to %s: %w", c.keys.Fence(), err)
	}
	replies, stored, err := c.transact(ctx, func(stored string) bool { return stored == expected }, func(p goredis.Pipeliner) {
		changes.queue(ctx, p)
		p.Set(ctx, c.keys.Fence(), raw, 0)
	})
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("commit to %s: %w", c.keys.Fence(), err)
	case replies == nil:
		return Result{Stored: stored}, nil
	}
	return Result{OK: true, Stored: raw}, nil
}
