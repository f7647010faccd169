package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Table is the reader of a compacted topic that keeps its content in memory.
type Table struct {
	// Apply is called for every record in the order of the log of its partition, from one goroutine;
	// control records of transactions are left out. A nil value is a tombstone: the key is gone. Key and value stay valid but share memory with a
	// whole batch of records: clone what is kept.
	Apply func(key, value []byte, offset int64)
	// Ready is called once, as soon as everything that the topic held at the start is applied.
	Ready func()
}

// maxPoll bounds the records of one poll, so that a large topic is applied in slices.
const maxPoll = 10_000

// Follow reads a whole topic and then follows it, until ctx ends (which is no error) or the topic
// fails: it is missing, was recreated, or lost what was to be read next. The content applied so far
// may then be wrong, so start again with an empty table. It dials a client of its own; opts are added
// to those of [Dial].
func (t Table) Follow(ctx context.Context, seeds []string, logger *slog.Logger, topic string, opts ...kgo.Opt) error {
	// A log may end with the control record of a transaction: it must be seen to know the end.
	client, err := Dial(seeds, logger, append(slices.Clone(opts), kgo.KeepControlRecords())...)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	defer client.Close()
	err = t.follow(ctx, client, topic)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t Table) follow(ctx context.Context, client *kgo.Client, topic string) error {
	pending, err := unread(ctx, client, topic)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	if len(pending.end) == 0 {
		t.Ready()
	}
	client.AddConsumePartitions(pending.from)
	for {
		fetches := client.PollRecords(ctx, maxPoll)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("follow %s: %w", topic, err)
		}
		waiting := len(pending.end) > 0
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				t.Apply(r.Key, r.Value, r.Offset)
			}
			pending.reached(r)
		})
		if waiting && len(pending.end) == 0 {
			t.Ready()
		}
	}
}

// backlog is what a follower must read before its table is complete.
type backlog struct {
	from map[string]map[int32]kgo.Offset // where to start reading
	end  map[int32]int64                 // by partition that is not read up to it yet
}

func unread(ctx context.Context, client *kgo.Client, topic string) (backlog, error) {
	start, err := StartOffsets(ctx, client, topic)
	if err != nil {
		return backlog{}, err
	}
	end, err := EndOffsets(ctx, client, topic)
	if err != nil {
		return backlog{}, err
	}
	b := backlog{from: map[string]map[int32]kgo.Offset{topic: {}}, end: map[int32]int64{}}
	for partition, first := range start {
		last, ok := end[partition]
		if !ok {
			return backlog{}, errors.New("partitions were added while they were listed")
		}
		b.from[topic][partition] = kgo.NewOffset().At(first)
		if last > first {
			b.end[partition] = last
		}
	}
	return b, nil
}

// reached notes a record. Compaction never removes the last record of a log, which may be a control
// record, so the one before the end is always delivered.
func (b backlog) reached(r *kgo.Record) {
	if end, ok := b.end[r.Partition]; ok && r.Offset+1 >= end {
		delete(b.end, r.Partition)
	}
}
