package mark

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
)

// complete brings mark m, and those before it, into every partition, and waits for the archive.
func (c Closer) complete(ctx context.Context, m model.Mark) (model.Cut, error) {
	x, err := c.index(ctx, m.N-1)
	if err != nil {
		return nil, err
	}
	if len(x.Missing(c.Topics.Partitions)) > 0 {
		if x, err = c.reach(ctx, m.N); err != nil {
			return nil, err
		}
	}
	from := model.Cut{}
	if m.N > 1 {
		before, err := c.index(ctx, m.N-2)
		if err != nil {
			return nil, err
		}
		if missing := before.Missing(c.Topics.Partitions); len(missing) > 0 {
			return nil, fmt.Errorf("the archive has closed epoch %d but not epoch %d in partitions %v: restore %s from a backup",
				m.N-1, m.N-2, missing, model.IndexKey(m.N-2))
		}
		from = before.End
	}
	if err := x.CheckChain(from, x.End); err != nil {
		return nil, err
	}
	return x.End, nil
}

// reach writes the marks up to n and returns the index of the epoch that n ends once it is complete.
func (c Closer) reach(parent context.Context, n int64) (*model.Index, error) {
	ctx, cancel := context.WithTimeout(parent, c.Wait)
	defer cancel()
	if err := c.write(ctx, n); err != nil {
		if ctx.Err() != nil && parent.Err() == nil {
			return nil, api.Errorf(api.Unavailable, "Kafka did not take the mark within %s, run the same command again: %w", c.Wait, err)
		}
		return nil, err
	}
	return c.await(ctx, n-1)
}

// index reads the index of an epoch and refuses that of another topic.
func (c Closer) index(ctx context.Context, epoch int64) (*model.Index, error) {
	x, _, err := archive.ReadIndex(ctx, c.Bucket, epoch)
	if err != nil {
		return nil, err
	}
	if id := kafka.HexID(c.Topics.EventsID); x.TopicID != "" && x.TopicID != id {
		return nil, fmt.Errorf("%s is of topic id %s, Kafka's %s has id %s: the topic was recreated; run `anabranch doctor`",
			model.IndexKey(epoch), x.TopicID, c.Topic, id)
	}
	return x, nil
}

// await returns the index of an epoch as soon as the archive has met its end in every partition.
func (c Closer) await(ctx context.Context, epoch int64) (*model.Index, error) {
	poll := time.NewTicker(c.Poll)
	defer poll.Stop()
	for {
		x, err := c.index(ctx, epoch)
		if err != nil {
			return nil, err
		}
		missing := x.Missing(c.Topics.Partitions)
		if len(missing) == 0 {
			return x, nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return nil, api.Errorf(api.Unavailable, "the archive has not reached the mark in partitions %v within %s: "+
				"check that `anabranch archive` runs, then run the same command again", missing, c.Wait)
		case <-poll.C:
		}
	}
}
