package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// records are catalog and profile records on their way to their topics.
type records struct {
	items  []event.Item
	users  []event.User
	stamps map[string]*event.Stamp // of the whole catalog, these items included
}

// readRecords reads the files that are named.
func readRecords(itemsFile, usersFile string) (r records, err error) {
	if itemsFile != "" {
		if r.items, err = readAll(eventfile.OpenItems(itemsFile)); err != nil {
			return r, refusedFile("items", err)
		}
	}
	if usersFile != "" {
		if r.users, err = readAll(eventfile.OpenUsers(usersFile)); err != nil {
			return r, refusedFile("users", err)
		}
	}
	return r, nil
}

// refusedFile makes a bad row of a file the caller's to correct, as it is in a file of events.
func refusedFile(what string, err error) error {
	var bad *eventfile.RowError
	if errors.As(err, &bad) {
		return api.Errorf(api.Invalid, "import %s: %w", what, err)
	}
	return fmt.Errorf("import %s: %w", what, err)
}

// merge leaves out the items that the topic holds already and works out the stamps of all.
func (rt *runtimeEnv) merge(ctx context.Context, p *parts, r records) (records, error) {
	catalog, err := readTopic(ctx, rt, p.servers, itemsTopic())
	if err != nil {
		return r, err
	}
	out := records{users: r.users, stamps: make(map[string]*event.Stamp, len(catalog)+len(r.items))}
	for _, i := range r.items {
		if old, ok := catalog[i.ID]; !ok || !sameEncoding(&old, &i) {
			out.items = append(out.items, i)
			catalog[i.ID] = i
		}
	}
	for id, i := range catalog {
		out.stamps[id] = i.Stamp()
	}
	return out, nil
}

// publish writes the records to their topics.
func (r records) publish(ctx context.Context, p *parts) error {
	if err := produceItems(ctx, p.client, r.items); err != nil {
		return err
	}
	return produceUsers(ctx, p.client, r.users)
}

// stamp returns what is stamped into events of an item.
func (r records) stamp(itemID string) *event.Stamp { return r.stamps[itemID] }

// importRecords writes the records of the files and returns the stamps of the whole catalog.
func (rt *runtimeEnv) importRecords(p *parts, itemsFile, usersFile string) (func(string) *event.Stamp, error) {
	r, err := readRecords(itemsFile, usersFile)
	if err != nil {
		return nil, err
	}
	return rt.publishRecords(rt.ctx, p, r.items, r.users)
}

// publishRecords writes the records that the topics do not hold yet, and returns the stamps of the
// whole catalog.
func (rt *runtimeEnv) publishRecords(ctx context.Context, p *parts, items []event.Item, users []event.User) (func(string) *event.Stamp, error) {
	r, err := rt.merge(ctx, p, records{items: items, users: users})
	if err != nil {
		return nil, err
	}
	return r.stamp, r.publish(ctx, p)
}

func sameEncoding(a, b *event.Item) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
