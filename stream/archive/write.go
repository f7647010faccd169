package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// store writes files into the bucket and its indexes. Every write may be repeated.
type store struct {
	bucket  *bucket.Bucket
	topicID string
	swaps   sync.Mutex // partitions of one process would only lose time racing for an index
}

// write makes f a part of the archive and returns up to where the archive of the partition now
// reaches: f.end, or more where another archiver was ahead; and what it wrote itself. Objects that exist
// already are adopted, and what they leave of f is written after them.
func (s *store) write(ctx context.Context, f file) (end int64, wrote Stats, err error) {
	for f.first < f.end {
		o, own, err := s.put(ctx, f)
		if err != nil {
			return 0, Stats{}, err
		}
		if o.End > f.end && f.closes {
			return 0, Stats{}, haltf("%s covers [%d,%d) of epoch %d, which ends at %d: restore the object from a backup, or delete it if it has none",
				o.Key, o.First, o.End, f.epoch, f.end)
		}
		if err := s.list(ctx, f.epoch, func(x *model.Index) error {
			x.Add(o)
			if f.closes && o.End == f.end {
				return setEnd(x, f.partition, f.end)
			}
			return nil
		}); err != nil {
			return 0, Stats{}, err
		}
		if own {
			wrote.add(Stats{Files: 1, Rows: o.Rows, Bytes: o.Bytes, Rejected: f.rejected})
		}
		if f, err = f.after(o.End); err != nil {
			return 0, Stats{}, err
		}
	}
	if f.closes { // nothing to do unless the epoch, or what was left of it, is empty
		if err := s.list(ctx, f.epoch, func(x *model.Index) error { return setEnd(x, f.partition, f.end) }); err != nil {
			return 0, Stats{}, err
		}
		wrote.Marks++
	}
	return f.first, wrote, nil
}

// put stores f as an object, or returns the one that is there already.
func (s *store) put(ctx context.Context, f file) (o model.Object, own bool, err error) {
	key := model.RawKey(s.topicID, f.epoch, f.partition, f.first)
	data, span, err := f.encode(s.topicID)
	if err != nil {
		return model.Object{}, false, haltf("%s: %w", key, err)
	}
	_, err = s.bucket.PutIfAbsent(ctx, key, data)
	if errors.Is(err, bucket.ErrExists) {
		o, err := s.existing(ctx, key)
		return o, false, err
	}
	if err != nil {
		return model.Object{}, false, fmt.Errorf("archive [%d,%d) of partition %d: %w", f.first, f.end, f.partition, err)
	}
	return objectOf(key, span, data), true, nil
}

func objectOf(key string, span rawparquet.Span, data []byte) model.Object {
	return model.Object{
		Key: key, Partition: span.Partition, First: span.First, End: span.End,
		Rows: span.Rows, Bytes: int64(len(data)), SHA256: model.SHA256Hex(data),
	}
}

// existing describes an object that is in the bucket but perhaps in no index. As there is no checksum
// to compare with, all of it is decoded, and its rows must be where its name says that they are.
func (s *store) existing(ctx context.Context, key string) (model.Object, error) {
	data, _, err := s.bucket.Get(ctx, key)
	if err != nil {
		return model.Object{}, fmt.Errorf("adopt: %w", err)
	}
	topicID, epoch, partition, first, err := model.ParseRawKey(key)
	if err != nil {
		return model.Object{}, haltf("adopt: %w", err)
	}
	var offsets []int64
	footer, err := rawparquet.Read(data, []string{"topic_id", "partition", "offset"}, func(b rawparquet.Batch) error {
		for i := range b.Len {
			if b.TopicID.Value(i) != topicID || b.Partition.Value(i) != partition {
				return fmt.Errorf("row %d is of %s/%d", i, b.TopicID.Value(i), b.Partition.Value(i))
			}
		}
		offsets = append(offsets, b.Offset.Int64Values()...)
		return nil
	})
	var span rawparquet.Span
	if err == nil {
		span, err = footer.Span()
	}
	if err == nil {
		err = checkSpan(span, rawparquet.Span{Topic: topicID, Partition: partition, Epoch: epoch, First: first}, offsets)
	}
	if err != nil {
		return model.Object{}, haltf("adopt %s: %w: the object is damaged; if it is in no index, delete it and its records are archived again", key, err)
	}
	return objectOf(key, span, data), nil
}

// checkSpan compares what a file says of itself with what its key says and with its rows' offsets.
func checkSpan(span, key rawparquet.Span, offsets []int64) error {
	if span.Topic != key.Topic || span.Partition != key.Partition || span.Epoch != key.Epoch || span.First != key.First || span.End == span.First {
		return fmt.Errorf("its footer says epoch %d, partition %d, [%d,%d) of %s", span.Epoch, span.Partition, span.First, span.End, span.Topic)
	}
	if span.Validator != event.ValidatorVersion {
		return fmt.Errorf("it was judged by validator %d, this is version %d", span.Validator, event.ValidatorVersion)
	}
	if n := len(offsets); n > 0 && (offsets[0] < span.First || offsets[n-1] >= span.End || !slices.IsSorted(offsets)) {
		return fmt.Errorf("its offsets [%d,%d] are not in order within [%d,%d)", offsets[0], offsets[n-1], span.First, span.End)
	}
	return nil
}

// list changes the index of an epoch by compare-and-swap.
func (s *store) list(ctx context.Context, epoch int64, change func(*model.Index) error) error {
	s.swaps.Lock()
	defer s.swaps.Unlock()
	for {
		x, etag, err := ReadIndex(ctx, s.bucket, epoch)
		if err != nil {
			return err
		}
		if x.TopicID == "" {
			x.TopicID = s.topicID
		}
		if x.TopicID != s.topicID {
			return haltf("%s is of topic id %s, this archiver is of %s: the topic was recreated; run `anabranch doctor`", model.IndexKey(epoch), x.TopicID, s.topicID)
		}
		before := x.Version
		if err := change(x); err != nil {
			return err
		}
		if x.Version == before {
			return nil
		}
		if etag == "" {
			_, err = s.bucket.PutJSONIfAbsent(ctx, model.IndexKey(epoch), x)
		} else {
			_, err = s.bucket.PutJSONIfMatch(ctx, model.IndexKey(epoch), x, etag)
		}
		if !errors.Is(err, bucket.ErrExists) && !errors.Is(err, bucket.ErrPrecondition) {
			return err
		}
	}
}

// setEnd notes where an epoch ends. A mark never moves, so another offset is a contradiction.
func setEnd(x *model.Index, partition int32, offset int64) error {
	if at, known := x.End[partition]; known && at != offset {
		return haltf("epoch %d ends at offset %d of partition %d, its index says %d: restore %s from a backup",
			x.Epoch, offset, partition, at, model.IndexKey(x.Epoch))
	}
	x.SetEnd(partition, offset)
	return nil
}
