package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// pinPartitions refuses an events topic that has another number of partitions than when the bucket was first used with it.
// An operator can add partitions to a topic; the events of a user would then go elsewhere than their history, each part of
// which would look right by itself. Kafka does not tell how many there were, so the bucket remembers it.
func pinPartitions(ctx context.Context, b *bucket.Bucket, topics kafka.Topics, now time.Time) error {
	id := kafka.HexID(topics.EventsID)
	var first model.Topic
	_, err := b.GetJSON(ctx, model.TopicKey(id), &first)
	if errors.Is(err, bucket.ErrNotExist) {
		first = model.Topic{TopicID: id, Partitions: topics.Partitions, First: now.UTC()}
		if _, err = b.PutJSONIfAbsent(ctx, model.TopicKey(id), first); errors.Is(err, bucket.ErrExists) {
			_, err = b.GetJSON(ctx, model.TopicKey(id), &first) // another process was faster
		}
	}
	if err != nil {
		return fmt.Errorf("look up the number of partitions of topic %s: %w", kafka.EventsTopic, err)
	}
	if first.Partitions == topics.Partitions {
		return nil
	}
	return api.Errorf(api.Invalid, "topic %s has %d partitions, and had %d when this bucket was first used with it (%s): keys now go elsewhere than their history, "+
		"so nothing may work on. To have %[2]d, stop all producers and commands, delete the topic, name an empty --bucket, and bring the events in anew: "+
		"`anabranch import FILE --partitions %[2]d` for what is over, `anabranch events send FILE` for the rest. Kafka cannot take partitions away again",
		kafka.EventsTopic, topics.Partitions, first.Partitions, model.TopicKey(id))
}
