package redis

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Changes are what a commit makes beside moving the fence. A key that is both written and deleted is deleted.
type Changes struct {
	Writes  []KV
	Deletes []string
	Sets    []SetChange
}

// chunk is how many values a command has. Commands of megabytes cost the server half as much again: it reads each into
// one buffer before it looks at it.
const chunk = 128

// queue adds the commands. Sets grow first and shrink last: a member too many does no harm.
func (c *Changes) queue(ctx context.Context, p goredis.Pipeliner) {
	for _, s := range c.Sets {
		queue(ctx, p, s.Add, "SADD", s.Key)
	}
	for part := range slices.Chunk(c.Writes, chunk) {
		args := make([]any, 1, 1+2*len(part))
		args[0] = "MSET"
		for i := range part {
			args = append(args, part[i].Key, part[i].Value)
		}
		p.Do(ctx, args...)
	}
	queue(ctx, p, c.Deletes, "DEL")
	for _, s := range c.Sets {
		queue(ctx, p, s.Remove, "SREM", s.Key)
	}
}

// queue adds a command with as many arguments as there are values, in parts.
func queue(ctx context.Context, p goredis.Pipeliner, values []string, command ...any) {
	for part := range slices.Chunk(values, chunk) {
		args := slices.Clip(command)
		for _, v := range part {
			args = append(args, v)
		}
		p.Do(ctx, args...)
	}
}

// check refuses keys that are not the partition's, and the fence.
func (c *Changes) check(keys Keys) error {
	slot, fence := keys.Slot(), keys.Fence()
	for name := range c.names() {
		// The key itself may hold a user's id, so the error does not show it.
		if !strings.HasPrefix(name, slot) || name == fence {
			return fmt.Errorf("a key is the fence itself or lies outside %s", slot)
		}
	}
	return nil
}

func (c *Changes) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range c.Writes {
			if !yield(c.Writes[i].Key) {
				return
			}
		}
		for _, name := range c.Deletes {
			if !yield(name) {
				return
			}
		}
		for _, s := range c.Sets {
			if !yield(s.Key) {
				return
			}
		}
	}
}
