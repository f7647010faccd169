package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// ErrHalted says that archiving cannot go on until a person has repaired something.
var ErrHalted = errors.New("archive halted")

func haltf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrHalted, api.Errorf(api.Internal, format, args...))
}

// Tail is where the archive of one partition ends: everything before Next is in it, and the record
// at Next is of Epoch (or ends it).
type Tail struct {
	Epoch int64
	Next  int64
}

// Tails returns where the archive of every partition of a topic ends, as its indexes say, and
// verifies that what they list is a chain. An empty archive ends at offset 0 of epoch 0.
func Tails(ctx context.Context, b *bucket.Bucket, topicID string, partitions int32) ([]Tail, error) {
	open, err := openEpochs(ctx, b, topicID, partitions)
	if err != nil {
		return nil, err
	}
	tails := make([]Tail, partitions)
	for p := range partitions {
		if tails[p], err = open.tail(p); err != nil {
			return nil, err
		}
	}
	return tails, nil
}

// epochs are those that some partition may still be in, and the complete one before them.
type epochs struct {
	from    int64 // the first that is not complete
	cut     model.Cut
	indexes map[int64]*model.Index // those that exist, from `from` on
}

// last returns the last epoch that has an index; from-1 when none has.
func (e epochs) last() int64 { return e.from + int64(len(e.indexes)) - 1 }

// openEpochs reads the indexes backwards until a complete one: every partition has left its epoch,
// and an archiver lists all objects of an epoch before it notes the end, so what is older is done.
func openEpochs(ctx context.Context, b *bucket.Bucket, topicID string, partitions int32) (epochs, error) {
	listed, err := b.List(ctx, model.IndexPrefix)
	if err != nil {
		return epochs{}, fmt.Errorf("find the archive's end: %w", err)
	}
	open := epochs{cut: model.Cut{}, indexes: map[int64]*model.Index{}}
	for i := len(listed) - 1; i >= 0; i-- {
		epoch, err := model.ParseIndexKey(listed[i].Key)
		if err != nil {
			return epochs{}, fmt.Errorf("find the archive's end: %w", err)
		}
		x, _, err := ReadIndex(ctx, b, epoch)
		if err != nil {
			return epochs{}, fmt.Errorf("find the archive's end: %w", err)
		}
		if err := checkIndex(x, topicID, partitions); err != nil {
			return epochs{}, err
		}
		if len(x.Missing(partitions)) == 0 {
			open.from, open.cut = epoch+1, x.End
			break
		}
		open.indexes[epoch] = x
	}
	for epoch := open.from; epoch <= open.last(); epoch++ {
		if open.indexes[epoch] == nil {
			return epochs{}, haltf("%s is missing although later indexes exist: restore it from a backup", model.IndexKey(epoch))
		}
	}
	return open, nil
}

// ReadIndex reads the index of an epoch and its ETag; an index that does not exist is empty.
func ReadIndex(ctx context.Context, b *bucket.Bucket, epoch int64) (*model.Index, string, error) {
	x := &model.Index{}
	attrs, err := b.GetJSON(ctx, model.IndexKey(epoch), x)
	if errors.Is(err, bucket.ErrNotExist) {
		return &model.Index{Epoch: epoch, End: model.Cut{}}, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("index of epoch %d: %w", epoch, err)
	}
	if x.Epoch != epoch {
		return nil, "", haltf("%s is of epoch %d: restore it from a backup", model.IndexKey(epoch), x.Epoch)
	}
	return x, attrs.ETag, nil
}

// checkIndex refuses an index of another topic, or of a topic with more partitions.
func checkIndex(x *model.Index, topicID string, partitions int32) error {
	if x.TopicID != topicID {
		return haltf("the archive is of the events topic with id %s, Kafka's has id %s: the topic was recreated, or this is the bucket of another cluster. "+
			"Run `anabranch doctor`; then either point --kafka and --bucket at the pair that belongs together, or start with an empty bucket and `anabranch import` the old archive's events", x.TopicID, topicID)
	}
	for _, o := range x.Objects {
		if o.Partition >= partitions {
			return haltf("the archive has partition %d, the events topic only %d partitions: it must keep the number it was created with", o.Partition, partitions)
		}
	}
	return nil
}

// tail follows the chain of one partition.
func (e epochs) tail(p int32) (Tail, error) {
	t := Tail{Epoch: e.from, Next: e.cut[p]}
	for ; ; t.Epoch++ {
		x, exists := e.indexes[t.Epoch]
		if !exists {
			return t, nil
		}
		for _, o := range x.Of(p) {
			if o.First != t.Next || o.End <= o.First {
				return Tail{}, haltf("epoch %d partition %d: object %s covers [%d,%d), the chain continues at %d: "+
					"restore %s from a backup", t.Epoch, p, o.Key, o.First, o.End, t.Next, model.IndexKey(t.Epoch))
			}
			t.Next = o.End
		}
		end, closed := x.End[p]
		if !closed {
			return t, nil
		}
		if end != t.Next {
			return Tail{}, haltf("epoch %d partition %d: the chain ends at offset %d, the epoch at %d: restore %s from a backup",
				t.Epoch, p, t.Next, end, model.IndexKey(t.Epoch))
		}
	}
}
