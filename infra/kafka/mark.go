package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// WriteMark appends the control record of mark n to one partition and returns its offset: null key,
// the header anabranch-mark with n in decimal, and the mark object as value. The client must come
// from [Dial]. It returns when all in-sync replicas have the record; after an error the record may or
// may not be in the log, and writing it again is harmless.
func WriteMark(ctx context.Context, client *kgo.Client, topic string, partition int32, n int64, value []byte) (int64, error) {
	if n < 1 {
		return 0, fmt.Errorf("write mark %d to %s/%d: marks are numbered from 1", n, topic, partition)
	}
	if _, ok := client.OptValue(kgo.RecordPartitioner).(*partitioner); !ok {
		return 0, fmt.Errorf("write mark %d to %s/%d: the client chooses partitions itself; it must come from Dial", n, topic, partition)
	}
	record := &kgo.Record{
		Topic:   topic,
		Value:   value,
		Headers: []kgo.RecordHeader{{Key: event.MarkHeader, Value: strconv.AppendInt(nil, n, 10)}},
	}
	written, err := client.ProduceSync(toPartition(ctx, partition), record).First()
	if err != nil {
		return 0, fmt.Errorf("write mark %d to %s/%d: %w", n, topic, partition, err)
	}
	return written.Offset, nil
}

// MarkNumber tells whether a record carries the mark header and is therefore exempt from validation
// and features. The number is 0, which no mark has, where the record is not one that [WriteMark]
// writes: it has a key, or its header is repeated or not a canonical positive decimal. Such a record
// counts nowhere. Whether a number counts (it must be the last counted one + 1) is the reader's.
func MarkNumber(r *kgo.Record) (n int64, isMark bool) {
	var headers int
	for _, h := range r.Headers {
		if h.Key == event.MarkHeader {
			headers++
			n = markNumber(h.Value)
		}
	}
	if headers != 1 || r.Key != nil {
		n = 0
	}
	return n, headers > 0
}

func markNumber(value []byte) int64 {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != string(value) {
		return 0
	}
	return n
}
