package archive

import (
	"context"
	"fmt"

	"github.com/anabranch/anabranch/schemas/model"
)

// recover lists the objects that a crash left out of the indexes and returns where the archive of
// every partition ends.
func (s *store) recover(ctx context.Context, partitions int32) ([]Tail, error) {
	open, err := openEpochs(ctx, s.bucket, s.topicID, partitions)
	if err != nil {
		return nil, err
	}
	if err := s.checkTopic(ctx, open); err != nil {
		return nil, err
	}
	// The object after a crash may be the first of an epoch whose index does not exist yet.
	for epoch := open.from; epoch <= open.last()+1; epoch++ {
		if err := s.adopt(ctx, epoch, open.indexes[epoch], partitions); err != nil {
			return nil, err
		}
	}
	return Tails(ctx, s.bucket, s.topicID, partitions)
}

// adopt lists the unlisted objects of one epoch; x may be nil.
func (s *store) adopt(ctx context.Context, epoch int64, x *model.Index, partitions int32) error {
	objects, err := s.bucket.List(ctx, model.RawEpochPrefix(s.topicID, epoch))
	if err != nil {
		return fmt.Errorf("adopt objects of epoch %d: %w", epoch, err)
	}
	there := make(map[string]bool, len(objects))
	for _, attrs := range objects {
		there[attrs.Key] = true
	}
	if x != nil {
		for _, o := range x.Objects {
			if !there[o.Key] {
				return haltf("%s lists %s, which is not in the bucket: restore it from a backup", model.IndexKey(epoch), o.Key)
			}
			delete(there, o.Key)
		}
	}
	for _, attrs := range objects {
		if !there[attrs.Key] {
			continue
		}
		o, err := s.existing(ctx, attrs.Key)
		if err != nil {
			return err
		}
		if o.Partition >= partitions {
			return haltf("%s is of partition %d, the events topic has only %d partitions: it must keep the number it was created with", o.Key, o.Partition, partitions)
		}
		if err := s.list(ctx, epoch, func(x *model.Index) error { x.Add(o); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// checkTopic looks for objects of another topic where no index names one.
func (s *store) checkTopic(ctx context.Context, open epochs) error {
	if open.last() >= 0 {
		return nil
	}
	objects, err := s.bucket.List(ctx, model.RawPrefix)
	if err != nil {
		return fmt.Errorf("look for older archives: %w", err)
	}
	for _, o := range objects {
		if topicID, _, _, _, err := model.ParseRawKey(o.Key); err == nil && topicID != s.topicID {
			return checkIndex(&model.Index{TopicID: topicID}, s.topicID, 0)
		}
	}
	return nil
}
