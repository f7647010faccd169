package redis

import (
	"context"
	"errors"
)

// Open is [Committer.Open] over a connection of the moment.
func (s *Store) Open(ctx context.Context, keys Keys, fence Fence) (result Result, err error) {
	c := s.NewCommitter(keys)
	defer func() { err = errors.Join(err, c.Close()) }()
	return c.Open(ctx, fence)
}

// Commit is [Committer.Commit] over a connection of the moment: for tools and tests. Owners keep a committer.
func (s *Store) Commit(ctx context.Context, keys Keys, expectedRaw string, next Fence, changes Changes) (result Result, err error) {
	c := s.NewCommitter(keys)
	defer func() { err = errors.Join(err, c.Close()) }()
	return c.Commit(ctx, expectedRaw, next, changes)
}
