package jobs

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
)

// compacted is a topic of catalog or profile records.
type compacted[T any] struct {
	topic  string
	record func(key, value []byte) (T, *event.Rejection)
	encode func(*T) ([]byte, error)
}

func itemsTopic() compacted[event.Item] {
	return compacted[event.Item]{kafka.ItemsTopic, event.ItemRecord, (*event.Item).Encode}
}

func usersTopic() compacted[event.User] {
	return compacted[event.User]{kafka.UsersTopic, event.UserRecord, (*event.User).Encode}
}

// readTopic returns what a topic holds at present, by id. Records that are not valid are skipped, as
// all readers of the topic do.
func readTopic[T any](ctx context.Context, rt *runtimeEnv, s *servers, c compacted[T]) (map[string]T, error) {
	rows, ready, skipped := map[string]T{}, false, 0
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	table := kafka.Table{
		Apply: func(key, value []byte, _ int64) {
			if value == nil {
				delete(rows, string(key))
				return
			}
			row, rejection := c.record(key, value)
			if rejection != nil {
				skipped++
				return
			}
			rows[string(key)] = row
		},
		Ready: func() { ready = true; stop() },
	}
	if err := table.Follow(ctx, s.seeds, rt.log, c.topic, s.clientOptions()...); err != nil && !ready {
		return nil, fmt.Errorf("read topic %s: %w", c.topic, err)
	}
	if !ready {
		return nil, fmt.Errorf("read topic %s: %w", c.topic, context.Cause(ctx))
	}
	if skipped > 0 {
		rt.log.Warn("records that are not valid are skipped", "topic", c.topic, "records", skipped)
	}
	return rows, nil
}

// snapshot returns what a topic holds at present as JSON lines, sorted by id. They are encoded anew: a
// producer may have spread a record over several lines.
func snapshot[T any](ctx context.Context, rt *runtimeEnv, s *servers, c compacted[T]) ([]byte, error) {
	rows, err := readTopic(ctx, rt, s, c)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	var out bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		row := rows[id]
		line, err := c.encode(&row)
		if err != nil {
			return nil, fmt.Errorf("snapshot of topic %s: %w", c.topic, err)
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// snapshots returns catalog and profiles, as nightly.Config wants them.
func (rt *runtimeEnv) snapshots(s *servers) func(context.Context) (items, users []byte, err error) {
	return func(ctx context.Context) (items, users []byte, err error) {
		if items, err = snapshot(ctx, rt, s, itemsTopic()); err != nil {
			return nil, nil, err
		}
		users, err = snapshot(ctx, rt, s, usersTopic())
		return items, users, err
	}
}
