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
	items map[string]stamped
	ready chan struct{}
	once  sync.Once
}

// stamped is an item's stamp (nil: it has none) and the offset of the record that says so.
type stamped struct {
	stamp  *event.Stamp
	offset int64
}

// NewCatalog returns an empty catalog that is not ready.
func NewCatalog() *Catalog {
	return &Catalog{items: map[string]stamped{}, ready: make(chan struct{})}
}

// Follow keeps the catalog equal to the items topic until ctx ends, which is no error. After an error
// it may be called again.
func (c *Catalog) Follow(ctx context.Context, seeds []string, logger *slog.Logger, topic string, opts ...kgo.Opt) error {
	table := kafka.Table{
		Apply: func(key, value []byte, offset int64) { c.apply(string(key), value, offset) },
		Ready: func() { c.once.Do(func() { close(c.ready) }) },
	}
	return table.Follow(ctx, seeds, logger, topic, opts...)
}

// Ready is closed when everything that the topic held at the start is in the catalog.
func (c *Catalog) Ready() <-chan struct{} { return c.ready }

// apply takes a record of the topic. A record that is no valid item says nothing about the item, as
// it does to every other reader of the topic.
func (c *Catalog) apply(id string, value []byte, offset int64) {
	if value == nil {
		c.put(id, nil, offset)
		return
	}
	if item, rejection := event.DecodeItem(value); rejection == nil && item.ID == id {
		c.put(id, item.Stamp(), offset)
	}
}

// put sets an item's stamp unless a later record has set it already. Ingest calls it as soon as
// Kafka has acknowledged an item, so that the next event in this process carries it.
func (c *Catalog) put(id string, stamp *event.Stamp, offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.items[id]; !ok || offset >= old.offset {
		c.items[id] = stamped{stamp, offset}
	}
}

// stamp fills what the event does not say about its item itself.
func (c *Catalog) stamp(e *event.Event) {
	c.mu.RLock()
	known := c.items[e.ItemID].stamp
	c.mu.RUnlock()
	if known == nil {
		return
	}
	filled := *known
	if e.Stamp != nil && e.Stamp.Category != nil {
		filled.Category = e.Stamp.Category
	}
	if e.Stamp != nil && e.Stamp.Price != nil {
		filled.Price = e.Stamp.Price
	}
	e.Stamp = &filled
}
