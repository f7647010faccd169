package mark

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
)

// write appends the marks up to n to every partition that does not count them yet.
func (c Closer) write(ctx context.Context, n int64) error {
	// A log may end with a control record of a transaction; the scan must see it to know its end.
	client, err := kafka.Dial(c.Seeds, c.Logger, append(slices.Clone(c.Client), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := c.counted(ctx, client)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for p, counter := range s.counters {
		g.Go(func() error { return c.writePartition(ctx, client, p, counter.Epoch+1, n) })
	}
	return g.Wait()
}

// writePartition appends the marks from..to in order: a mark counts only after the one before it.
func (c Closer) writePartition(ctx context.Context, client *kgo.Client, p int32, from, to int64) error {
	for n := from; n <= to; n++ {
		m, err := get(ctx, c.Bucket, n)
		if err != nil {
			return err
		}
		value, err := bucket.EncodeJSON(m)
		if err != nil {
			return err
		}
		if _, err := kafka.WriteMark(ctx, client, c.Topic, p, n, value); err != nil {
			return api.Errorf(api.Unavailable, "%w", err)
		}
	}
	return nil
}

// counted returns which marks count in every partition. Up to where the archive reaches its indexes
// tell; the rest of the log is read.
func (c Closer) counted(ctx context.Context, client *kgo.Client) (*scan, error) {
	tails, err := archive.Tails(ctx, c.Bucket, kafka.HexID(c.Topics.EventsID), c.Topics.Partitions)
	if err != nil {
		return nil, err
	}
	s, err := c.startScan(ctx, client, tails)
	if err != nil {
		return nil, err
	}
	for len(s.pending) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := fetches.Err(); err != nil {
			return nil, api.Errorf(api.Unavailable, "look for marks in %s: %w", c.Topic, err)
		}
		fetches.EachRecord(s.record)
	}
	return s, nil
}

// scan counts marks from where the archive ends to where the log ended at the start.
type scan struct {
	counters map[int32]*model.Counter
	cuts     map[int64]model.Cut // where the marks lie that were met, by number
	pending  map[int32]int64     // the offset to reach, of the partitions that have not
}

func (c Closer) startScan(ctx context.Context, client *kgo.Client, tails []archive.Tail) (*scan, error) {
	start, err := kafka.StartOffsets(ctx, client, c.Topic)
	if err != nil {
		return nil, api.Errorf(api.Unavailable, "look for marks: %w", err)
	}
	end, err := kafka.EndOffsets(ctx, client, c.Topic)
	if err != nil {
		return nil, api.Errorf(api.Unavailable, "look for marks: %w", err)
	}
	s := &scan{counters: map[int32]*model.Counter{}, cuts: map[int64]model.Cut{}, pending: map[int32]int64{}}
	from := map[int32]kgo.Offset{}
	for i, tail := range tails {
		p := int32(i)
		if start[p] > tail.Next || end[p] < tail.Next {
			return nil, fmt.Errorf("the archive of %s/%d ends at offset %d, Kafka holds [%d,%d): the archiver has halted, its log says what to do",
				c.Topic, p, tail.Next, start[p], end[p])
		}
		s.counters[p] = &model.Counter{Epoch: tail.Epoch}
		if end[p] > tail.Next {
			s.pending[p] = end[p]
			from[p] = kgo.NewOffset().At(tail.Next)
		}
	}
	c.Logger.DebugContext(ctx, "look for marks", "partitions", slices.Sorted(maps.Keys(from)))
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: from})
	return s, nil
}

func (s *scan) record(r *kgo.Record) {
	if n, isMark := kafka.MarkNumber(r); isMark && s.counters[r.Partition].Count(strconv.FormatInt(n, 10)) {
		if s.cuts[n] == nil {
			s.cuts[n] = model.Cut{}
		}
		s.cuts[n][r.Partition] = r.Offset
	}
	if end, waiting := s.pending[r.Partition]; waiting && r.Offset+1 >= end {
		delete(s.pending, r.Partition)
	}
}
