package jobs

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/anabranch/anabranch/infra/kafka"
)

// snapshot reads a compacted topic to its present end and returns its records as JSON lines, sorted
// by id.
func (rt *runtimeEnv) snapshot(ctx context.Context, s *servers, topic string) ([]byte, error) {
	records := map[string][]byte{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := false
	table := kafka.Table{
		Apply: func(key, value []byte, _ int64) {
			if value == nil {
				delete(records, string(key))
				return
			}
			records[string(key)] = bytes.Clone(value)
		},
		Ready: func() { ready = true; stop() },
	}
	if err := table.Follow(ctx, s.seeds, rt.log, topic, s.clientOptions()...); err != nil && !ready {
		return nil, fmt.Errorf("snapshot of topic %s: %w", topic, err)
	}
	if !ready {
		return nil, fmt.Errorf("snapshot of topic %s: %w", topic, context.Cause(ctx))
	}
	var out bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(records)) {
		out.Write(bytes.TrimSpace(records[id]))
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// snapshots returns catalog and profiles, as nightly.Config wants them.
func (rt *runtimeEnv) snapshots(s *servers) func(context.Context) (items, users []byte, err error) {
	return func(ctx context.Context) (items, users []byte, err error) {
		if items, err = rt.snapshot(ctx, s, kafka.ItemsTopic); err != nil {
			return nil, nil, err
		}
		users, err = rt.snapshot(ctx, s, kafka.UsersTopic)
		return items, users, err
	}
}
