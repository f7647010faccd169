package ingest

import (
	"context"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// Catalog holds what is stamped into events: the category and price of every item, as the items
// topic has them now. It is safe for concurrent use.
type Catalog struct {
	mu    sync.RWMutex
	items map[string]entry
	next  map[string]entry // what Follow has read so far and takes the place of items; nil when it is all read
	ready chan struct{}
	once  sync.Once
}

// entry is what a record at an offset says about an item. An item that was removed keeps an entry.
type entry struct {
	known  bool
	stamp  *event.Stamp // nil: the item has no category and no price
	offset int64
}

// NewCatalog returns an empty catalog that is not ready.
func NewCatalog() *Catalog {
	return &Catalog{items: map[string]entry{}, ready: make(chan struct{})}
}

// Follow keeps the catalog equal to the items topic until ctx ends, which is no error. After an error
// it may be called again; what was known stays until the topic, perhaps another one by that name by
// now, has been read anew. A nil logger discards.
func (c *Catalog) Follow(ctx context.Context, seeds []string, logger *slog.Logger, topic string, opts ...kgo.Opt) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c.begin()
	skipped := 0
	table := kafka.Table{
		Apply: func(key, value []byte, offset int64) {
			rejection := c.apply(key, value, offset)
			if rejection == nil {
				return
			}
			if skipped++; skipped == 1 {
				logger.Warn("a record that is no item is skipped, as all further ones are", "topic", topic, "offset", offset,
					"reason", rejection.Reason, "field", rejection.Field)
			}
		},
		Ready: func() {
			c.swap()
			c.once.Do(func() { close(c.ready) })
			logger.Info("catalog read", "topic", topic, "skipped", skipped)
		},
	}
	return table.Follow(ctx, seeds, logger, topic, opts...)
}

// begin starts to read the topic anew.
func (c *Catalog) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = map[string]entry{}
}

// swap makes what was read the catalog.
func (c *Catalog) swap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.items, c.next = c.next, nil
}

// Ready is closed when everything that the topic held at the start is in the catalog.
func (c *Catalog) Ready() <-chan struct{} { return c.ready }

// apply takes a record of the topic. One that is not valid says nothing about any item, as it does to
// every other reader of the topic. Ingest calls it, too, as soon as Kafka has acknowledged an item, so
// that the next event in this process carries its stamp.
func (c *Catalog) apply(key, value []byte, offset int64) *event.Rejection {
	e := entry{offset: offset}
	if value != nil {
		item, rejection := event.ItemRecord(key, value)
		if rejection != nil {
			return rejection
		}
		e.known, e.stamp = true, item.Stamp()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, items := range []map[string]entry{c.items, c.next} {
		if old, ok := items[string(key)]; items != nil && (!ok || offset >= old.offset) {
			items[string(key)] = e
		}
	}
	return nil
}

// stamp replaces what the event says about its item by what the catalog says. Only of an unknown item
// the event's own stamp counts: who sends events must not multiply the categories of a catalog.
func (c *Catalog) stamp(e *event.Event) {
	c.mu.RLock()
	item := c.items[e.ItemID]
	c.mu.RUnlock()
	if !item.known {
		return
	}
	e.Stamp = nil
	if item.stamp != nil {
		own := *item.stamp
		e.Stamp = &own
	}
}
