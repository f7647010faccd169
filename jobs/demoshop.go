package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/jobs/shop"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// demoShop is the built-in shop of dev. What it was made from is kept in the data folder, so that a
// second start goes on with the same shop.
type demoShop struct {
	*shop.Shop
	data string
}

// openDemoShop makes the shop that the data folder remembers, or a new one that ends now.
func openDemoShop(data string, flags shopFlags, now time.Time) (*demoShop, error) {
	file := filepath.Join(data, "shop.json")
	c := shop.Config{Users: flags.ShopUsers, Items: flags.ShopItems, Days: flags.ShopDays, Events: flags.ShopEvents, Seed: flags.ShopSeed, End: now.UTC().Truncate(time.Minute)}
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the shop's settings: %w", err)
	}
	s, err := shop.New(c)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "make the built-in shop: %w", err)
	}
	if b, err = json.Marshal(c); err != nil {
		return nil, fmt.Errorf("keep the shop's settings: %w", err)
	}
	if err := os.MkdirAll(data, 0o755); err != nil { // with real servers nobody else needs the folder
		return nil, dirError(data, err)
	}
	if err := replaceFile(file, b); err != nil {
		return nil, dirError(data, err)
	}
	return &demoShop{Shop: s, data: data}, nil
}

// historyFile writes the shop's history to the data folder and returns the file's path.
func (s *demoShop) historyFile() (string, error) {
	path := filepath.Join(s.data, "shop-history.csv")
	_, err := writeHistory(s.Shop, path, nil)
	return path, err
}

// traffic posts live events to the ingest at url, rate events a second, and follows the changes of
// the catalog, until ctx ends.
func (s *demoShop) traffic(ctx context.Context, rt *runtimeEnv, client *kgo.Client, url string, rate float64) error {
	from := rt.now()
	events, err := s.Live(shop.LiveConfig{From: from, Rate: rate, Run: ulid.Make().String(), Offset: uint64(from.Unix())})
	if err != nil {
		return api.Errorf(api.Invalid, "live traffic: %w", err)
	}
	const every = 250 * time.Millisecond
	post, tick := newSender(url), time.NewTicker(every)
	defer tick.Stop()
	var batch []event.Event
	for e := range events {
		for e.Time.Time().After(rt.now()) || len(batch) == api.MaxBatch {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := s.step(ctx, client, &from, rt.now()); err != nil {
				return err
			}
			if len(batch) == 0 {
				continue
			}
			if _, _, err := post.post(ctx, batch); err != nil {
				rt.log.Warn("live traffic", "error", err)
			}
			batch = batch[:0]
		}
		batch = append(batch, e)
	}
	return nil
}

// step publishes the catalog's changes since from.
func (s *demoShop) step(ctx context.Context, client *kgo.Client, from *time.Time, now time.Time) error {
	var items []event.Item
	for _, c := range s.ChangesBetween(*from, now) {
		items = append(items, c.Item)
	}
	*from = now
	if len(items) == 0 {
		return nil
	}
	return produceItems(ctx, client, items)
}
