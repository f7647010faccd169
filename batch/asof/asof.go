// Package asof reads features at any instant of the past from raw data, and joins them to training sets.
//
// # What is known at T
//
// As of T means only records with log time ≤ T and event time ≤ T (DESIGN §3): what had been logged by then,
// of what had happened by then. The duplicate rule is applied to those records alone, so a later record
// never hides an earlier one. Labels therefore never see the future, whatever the clocks of producers did.
//
// # How it is read
//
// Load scans the raw archive once, imports and epochs, closed or not, and keeps the records of the users who
// matter: those asked for, or those who touched an item that is asked for. Of the files it reads the columns
// that the definitions need, leaving out row groups that begin after the last instant asked for. Answers are
// made by schemas/tile, as everywhere. Memory grows with the records of those users, about 200 bytes each.
package asof

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// record is a valid record with its place.
type record struct {
	event           event.Event
	id              uint64 // tile.HashID of the event id
	epoch, seq, log int64
}

// History is the raw records of some members of an entity.
type History struct {
	plan  *tile.Plan
	codec *tile.Codec
	read  *tile.Reader
	row   tile.Row
	view  []byte

	users   map[string][]record            // by user, in the order of the log
	touched map[string]map[string]struct{} // by item: the users who touched it; nil unless the entity is item
}

// Load reads what is archived of the given members, for answers at instants ≤ until (Unix ms). For the global
// entity it reads everybody.
func Load(ctx context.Context, b *bucket.Bucket, c feature.Catalogue, e feature.Entity, members []string, until int64) (*History, error) {
	plan, err := tile.Compile(c, e)
	if err != nil {
		return nil, err
	}
	source, err := materialize.Archived(ctx, b)
	if err != nil {
		return nil, err
	}
	h := &History{plan: plan, codec: plan.NewCodec(), read: plan.NewReader(), users: map[string][]record{}}
	wanted := map[string]struct{}{}
	for _, id := range members {
		wanted[id] = struct{}{}
	}
	s := scan{bucket: b, source: source, plan: plan, until: until}
	switch e {
	case feature.Item:
		if h.touched, err = s.touching(ctx, wanted); err != nil {
			return nil, err
		}
		users := map[string]struct{}{}
		for _, of := range h.touched {
			maps.Copy(users, of)
		}
		return h, s.records(ctx, users, h.users)
	case feature.Global:
		return h, s.records(ctx, nil, h.users)
	}
	return h, s.records(ctx, wanted, h.users)
}

// Plan returns the compiled definitions, in whose order answers are.
func (h *History) Plan() *tile.Plan { return h.plan }

// At returns the answers of a member as of t (Unix ms), in the order of Plan().Features. They are valid until
// the next call. A member of whom nothing was known has the answers of one who never did anything.
func (h *History) At(member string, t int64) ([]agg.Value, error) {
	bucket := h.plan.NewBucket()
	switch h.plan.Entity {
	case feature.User:
		h.add(bucket, member, "", t)
	case feature.Item:
		for _, user := range slices.Sorted(maps.Keys(h.touched[member])) {
			h.add(bucket, user, member, t)
		}
	default:
		for _, user := range slices.Sorted(maps.Keys(h.users)) {
			h.add(bucket, user, "", t)
		}
	}
	h.view = h.codec.AppendView(h.view[:0], bucket)
	h.read.Begin(t)
	if err := h.read.AddView(h.view); err != nil {
		return nil, fmt.Errorf("read %s features as of %s: %w", h.plan.Entity, event.Millis(t), err)
	}
	return h.read.Values(), nil
}

// add adds a user's events as of t, those with the item only where one is named.
func (h *History) add(b tile.Bucket, user, item string, t int64) {
	var recent tile.Recent
	for i := range h.users[user] {
		r := &h.users[user][i]
		if r.log > t || recent.Seen(r.id, r.epoch) || int64(r.event.Time) > t || item != "" && r.event.ItemID != item {
			continue
		}
		h.plan.Fill(&h.row, &r.event, r.seq)
		h.plan.Update(b, &h.row)
	}
}
