package asof

import (
	"context"
	"fmt"
	"math"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
)

// scan reads files of the raw archive.
type scan struct {
	bucket *bucket.Bucket
	source materialize.Source
	plan   *tile.Plan
	until  int64
}

// files calls fn for each row group of each file, in the order of the log.
func (s *scan) files(ctx context.Context, columns []string, fn func(*materialize.File, *rawparquet.Group) error) error {
	scanner, err := rawparquet.NewScanner(columns, rawparquet.Range{Column: "log_time", Min: math.MinInt64, Max: s.until})
	if err != nil {
		return err
	}
	for i := range s.source.Files {
		f := &s.source.Files[i]
		_, err := scanner.ScanVerified(ctx, s.bucket, f.Key, f.Bytes, f.SHA256, func(g *rawparquet.Group) error { return fn(f, g) })
		if err != nil {
			return err
		}
	}
	return nil
}

// touching returns the users who touched each of the items.
func (s *scan) touching(ctx context.Context, items map[string]struct{}) (map[string]map[string]struct{}, error) {
	out := map[string]map[string]struct{}{}
	err := s.files(ctx, []string{"user_id", "item_id", "reject"}, func(_ *materialize.File, g *rawparquet.Group) error {
		for i := range g.Rows {
			if !g.Reject.Null(i) {
				continue
			}
			item := g.ItemID.At(i)
			if _, wanted := items[string(item)]; !wanted {
				continue
			}
			if out[string(item)] == nil {
				out[string(item)] = map[string]struct{}{}
			}
			out[string(item)][string(g.UserID.At(i))] = struct{}{}
		}
		return nil
	})
	return out, err
}

// records appends the records of the users (nil: of everybody) to into.
func (s *scan) records(ctx context.Context, users map[string]struct{}, into map[string][]record) error {
	columns := []string{"offset", "log_time", "event_id", "user_id", "item_id", "type", "value", "event_time", "session_id", "category", "price", "reject"}
	if s.plan.Uses("context.") {
		columns = append(columns, "context")
	}
	if s.plan.Uses("properties.") {
		columns = append(columns, "properties")
	}
	return s.files(ctx, columns, func(f *materialize.File, g *rawparquet.Group) error {
		for i := range g.Rows {
			if !g.Reject.Null(i) || g.LogTime.Values[i] > s.until {
				continue
			}
			if _, wanted := users[string(g.UserID.At(i))]; users != nil && !wanted {
				continue
			}
			e, err := eventOf(g, i)
			if err != nil {
				return fmt.Errorf("offset %d: %w", g.Offset.Values[i], err)
			}
			into[e.UserID] = append(into[e.UserID], record{
				event: e, id: tile.HashID(e.ID), epoch: f.Epoch, seq: f.Position(g.Offset.Values[i]), log: g.LogTime.Values[i],
			})
		}
		return nil
	})
}

// eventOf copies a row.
func eventOf(g *rawparquet.Group, i int) (event.Event, error) {
	e := event.Event{
		ID: string(g.EventID.At(i)), UserID: string(g.UserID.At(i)), ItemID: string(g.ItemID.At(i)), Type: string(g.Type.At(i)),
		Time: event.Millis(g.EventTime.Values[i]), SessionID: string(g.SessionID.At(i)),
	}
	if !g.Value.Null(i) {
		e.Value = new(g.Value.Values[i])
	}
	var stamp event.Stamp
	if !g.Category.Null(i) {
		stamp.Category = new(string(g.Category.At(i)))
	}
	if !g.Price.Null(i) {
		stamp.Price = new(g.Price.Values[i])
	}
	if stamp != (event.Stamp{}) {
		e.Stamp = &stamp
	}
	if g.Context != nil && !g.Context.Null(i) {
		if err := json.Unmarshal(g.Context.At(i), &e.Context); err != nil {
			return e, fmt.Errorf("context: %w", err)
		}
	}
	if g.Properties != nil && !g.Properties.Null(i) {
		if err := json.Unmarshal(g.Properties.At(i), &e.Properties); err != nil {
			return e, fmt.Errorf("properties: %w", err)
		}
	}
	return e, nil
}
