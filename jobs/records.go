package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/event"
)

// encoder is a catalog or profile record.
type encoder interface{ Encode() ([]byte, error) }

// produceRecords writes catalog or profile records to their compacted topic and returns when all are
// acknowledged.
func produceRecords[T any](ctx context.Context, client *kgo.Client, topic string, records []T, id func(*T) (string, encoder)) error {
	out := make([]*kgo.Record, len(records))
	for i := range records {
		key, e := id(&records[i])
		value, err := e.Encode()
		if err != nil {
			return fmt.Errorf("write %s: %w", topic, err)
		}
		out[i] = &kgo.Record{Topic: topic, Key: []byte(key), Value: value}
	}
	if err := client.ProduceSync(ctx, out...).FirstErr(); err != nil {
		return fmt.Errorf("write %d records to %s: %w", len(records), topic, err)
	}
	return nil
}

func produceItems(ctx context.Context, client *kgo.Client, items []event.Item) error {
	return produceRecords(ctx, client, kafka.ItemsTopic, items, func(i *event.Item) (string, encoder) { return i.ID, i })
}

func produceUsers(ctx context.Context, client *kgo.Client, users []event.User) error {
	return produceRecords(ctx, client, kafka.UsersTopic, users, func(u *event.User) (string, encoder) { return u.ID, u })
}

// readAll returns every record of a file; a bad row fails it, because a catalog with holes is worse
// than a message.
func readAll[T any](r *eventfile.Reader[T], err error) (_ []T, e error) {
	if err != nil {
		return nil, err
	}
	defer func() { e = errors.Join(e, r.Close()) }()
	var out []T
	for row, err := range r.All() {
		if err != nil {
			return nil, err
		}
		out = append(out, row.Record)
	}
	return out, nil
}
