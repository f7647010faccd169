package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// StartOffsets returns, by partition, the offset of the first record that the broker still holds.
func StartOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	listed, err := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	return offsetsOf(listed, err, topic, "start")
}

// EndOffsets returns, by partition, the offset of the next record that a consumer of committed
// records will be given: everything before it can be read now.
func EndOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	listed, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	return offsetsOf(listed, err, topic, "end")
}

func offsetsOf(listed kadm.ListedOffsets, err error, topic, which string) (map[int32]int64, error) {
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list %s offsets of %s: %w", which, topic, err)
	}
	offsets := make(map[int32]int64, len(listed[topic]))
	for partition, o := range listed[topic] {
		offsets[partition] = o.Offset
	}
	if len(offsets) == 0 {
		return nil, fmt.Errorf("list %s offsets of %s: the topic has no partitions", which, topic)
	}
	return offsets, nil
}
