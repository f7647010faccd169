package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// PartitionOf returns the partition among n that Kafka's default partitioner gives a user's events.
func PartitionOf(userID string, n int32) int32 { return event.PartitionOf([]byte(userID), n) }

type partitionKey struct{}

// toPartition makes records produced with the returned context go to one partition, whatever their
// key, with a client from [Dial].
func toPartition(ctx context.Context, partition int32) context.Context {
	return context.WithValue(ctx, partitionKey{}, partition)
}

func explicitPartition(r *kgo.Record) (int, bool) {
	if r.Context == nil {
		return 0, false
	}
	p, ok := r.Context.Value(partitionKey{}).(int32)
	return int(p), ok
}

// partitioner is Kafka's default one, except that a record's context may name its partition.
type partitioner struct{ byKey kgo.Partitioner }

func newPartitioner() *partitioner { return &partitioner{kgo.StickyKeyPartitioner(nil)} }

func (p *partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	_, ok := explicitPartition(r)
	return ok || p.byKey.RequiresConsistency(r)
}

func (p *topicPartitioner) Partition(r *kgo.Record, n int) int {
	if partition, ok := explicitPartition(r); ok {
		return partition
	}
	return p.byKey.Partition(r, n)
}

// OnNewBatch lets records without a key move on to another partition with each batch.
func (p *topicPartitioner) OnNewBatch() {
	if sticky, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		sticky.OnNewBatch()
	}
}
