package online

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/serving/recommend"
)

// catalog is what is known of items and users now.
type catalog struct {
	items *table[event.Item]
	users *table[event.User]
	seeds []string // none: only snapshots
	opts  []kgo.Opt
	log   *slog.Logger
}

func newCatalog(seeds []string, opts []kgo.Opt, log *slog.Logger) *catalog {
	return &catalog{
		items: &table[event.Item]{topic: kafka.ItemsTopic, record: event.ItemRecord},
		users: &table[event.User]{topic: kafka.UsersTopic, record: event.UserRecord},
		seeds: seeds, opts: opts, log: log,
	}
}

// run follows both topics until ctx ends.
func (c *catalog) run(ctx context.Context) {
	if len(c.seeds) == 0 {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { c.items.run(ctx, c.seeds, c.log, c.opts) })
	both.Go(func() { c.users.run(ctx, c.seeds, c.log, c.opts) })
	both.Wait()
}

// recommendable returns the catalogue as the recommender takes it.
func (c *catalog) recommendable() []recommend.Item {
	rows := c.items.all()
	out := make([]recommend.Item, len(rows))
	for i := range rows {
		out[i] = recommend.Item{ID: rows[i].ID, Category: text(rows[i].Attributes, "category"), Available: rows[i].Available()}
	}
	return out
}

// attributes returns what answers show of an item.
func (c *catalog) attributes(id string) Attributes {
	row, ok := c.items.get(id)
	if !ok {
		return Attributes{}
	}
	a := Attributes{Title: text(row.Attributes, "title"), Category: text(row.Attributes, "category")}
	if price, ok := row.Attributes["price"].(float64); ok {
		a.Price = &price
	}
	return a
}

func text(attributes map[string]any, name string) string {
	s, _ := attributes[name].(string)
	return s
}

// snapshotKey is where the nightly job keeps the catalogue or the profiles as of mark n.
func snapshotKey(n int64, file string) string {
	return fmt.Sprintf("snapshots/%020d/%s.jsonl", n, file)
}

// fallBack reads the snapshots of mark n where Kafka has not been heard of yet. A missing snapshot is
// no error.
func (c *catalog) fallBack(ctx context.Context, b *bucket.Bucket, n int64) error {
	return errors.Join(
		fallBack(ctx, b, snapshotKey(n, "items"), c.items, event.DecodeItem, func(i event.Item) string { return i.ID }),
		fallBack(ctx, b, snapshotKey(n, "users"), c.users, event.DecodeUser, func(u event.User) string { return u.ID }),
	)
}

func fallBack[T any](ctx context.Context, b *bucket.Bucket, key string, t *table[T],
	decode func([]byte) (T, *event.Rejection), id func(T) string,
) error {
	if t.source() == fromKafka {
		return nil
	}
	data, _, err := b.Get(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	rows := map[string]T{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		row, rejection := decode(line)
		if rejection != nil {
			return fmt.Errorf("read %s, line %d: %w", key, number, rejection)
		}
		rows[id(row)] = row
	}
	t.install(rows, fromSnapshot)
	return nil
}
