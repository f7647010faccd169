package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/mark"
)

// refuseNothing ends the night before its first mark when there is no history and no event: the mark
// would close history for good, and nothing would come of it.
func refuseNothing(ctx context.Context, p *parts) error {
	for prefix, commit := range map[string]string{model.MarkPrefix: ".json", model.ImportPrefix: "/index.json"} {
		found, err := p.bucket.List(ctx, prefix)
		if err != nil {
			return fmt.Errorf("look for something to learn from: %w", err)
		}
		if slices.ContainsFunc(found, func(o bucket.Attrs) bool { return strings.HasSuffix(o.Key, commit) }) {
			return nil
		}
	}
	ends, err := kafka.EndOffsets(ctx, p.client, kafka.EventsTopic)
	if err != nil {
		return api.Errorf(api.Unavailable, "look for something to learn from: %w", err)
	}
	for _, end := range ends {
		if end > 0 {
			return nil
		}
	}
	return api.Errorf(api.Gate, "there is no history and no event yet: import history with `anabranch import` or send events, then run this again")
}

// closeEpoch writes the mark and waits for the archive, running one here where nobody else can.
func (rt *runtimeEnv) closeEpoch(ctx context.Context, p *parts, n night, log *slog.Logger) (m model.Mark, cut model.Cut, err error) {
	closer := mark.Closer{
		Bucket: p.bucket, Seeds: p.seeds, Topics: p.topics, Client: p.clientOptions(), Wait: n.wait, Now: rt.now, Logger: log,
	}
	if !n.archive {
		return closer.Close(ctx, n.label)
	}
	a, err := rt.newArchiver(p, prometheus.NewRegistry())
	if err != nil {
		return m, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	err = runAll(ctx, service{"archive", a.Run}, service{"mark", func(ctx context.Context) (err error) {
		defer stop()
		m, cut, err = closer.Close(ctx, n.label)
		return err
	}})
	if err == nil && m.N == 0 { // told to stop before the mark was there; services call that a clean end
		err = context.Cause(ctx)
	}
	return m, cut, err
}

// markOf returns the mark of a label, or the number of the one that would be written for it. A label that is before
// the last one and that no mark has is refused.
func markOf(ctx context.Context, b *bucket.Bucket, label time.Time) (model.Mark, error) {
	marks, err := mark.List(ctx, b)
	if err != nil {
		return model.Mark{}, err
	}
	i := slices.IndexFunc(marks, func(m model.Mark) bool { return m.Label.Equal(label) })
	switch {
	case i >= 0:
		return marks[i], nil
	case len(marks) > 0 && !label.After(marks[len(marks)-1].Label):
		return model.Mark{}, api.Errorf(api.Invalid, "labels only rise: the last one is %s (mark %d)", marks[len(marks)-1].Label.Format(time.RFC3339), len(marks))
	}
	return model.Mark{N: int64(len(marks)) + 1}, nil
}
