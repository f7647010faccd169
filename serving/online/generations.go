package online

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/recommend"
)

// maxRetry is the longest time between two attempts at a generation that does not open.
const maxRetry = time.Minute

// generations follows the pointer and swaps generations. Requests read current, nothing else.
type generations struct {
	bucket  *bucket.Bucket
	cache   string // folder
	plans   *plans
	catalog *catalog
	tuning  recommend.Tuning
	poll    time.Duration
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics

	current atomic.Pointer[generation] // never nil
	looked  atomic.Bool                // the pointer was read, or found absent, at least once
	lastErr atomic.Pointer[string]     // of the last refresh, nil when it went well

	mu      sync.Mutex // one refresh at a time; guards what follows
	refused refusal
}

// refusal remembers a generation that did not open, so that it is not read again every second.
type refusal struct {
	id    string
	err   error
	wait  time.Duration
	until time.Time
}

// run refreshes until ctx ends.
func (g *generations) run(ctx context.Context) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	for {
		g.report(g.refresh(ctx, false))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report logs an error that is news.
func (g *generations) report(err error) {
	switch {
	case err == nil:
		g.lastErr.Store(nil)
	case errors.Is(err, context.Canceled):
	default:
		text := err.Error()
		if before := g.lastErr.Swap(&text); before == nil || *before != text {
			g.log.Warn("generation not taken over", "error", err)
		}
	}
}

// refresh takes over the generation that the pointer names and a changed catalogue. Forced, it also
// tries again at once what did not open before.
func (g *generations) refresh(ctx context.Context, forced bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next, err := g.follow(ctx, forced)
	if err != nil {
		next = g.current.Load()
	}
	return errors.Join(err, g.swap(next))
}

// follow returns the generation that the pointer names, opened.
func (g *generations) follow(ctx context.Context, forced bool) (*generation, error) {
	now := g.current.Load()
	var p model.Pointer
	_, err := g.bucket.GetJSON(ctx, model.PointerKey, &p)
	switch {
	case errors.Is(err, bucket.ErrNotExist) && now.files == nil:
		g.looked.Store(true)
		return now, nil
	case err != nil:
		return nil, fmt.Errorf("read the pointer to the current generation: %w", err)
	}
	g.looked.Store(true)
	switch {
	case p.Current == now.id():
		g.refused = refusal{}
		return now, nil
	case p.Current == g.refused.id && !forced && g.now().Before(g.refused.until):
		return nil, g.refused.err
	}
	return g.open(ctx, p.Current)
}

func (g *generations) open(ctx context.Context, id string) (*generation, error) {
	next, err := open(ctx, g.bucket, id, g.cache, g.plans, g.tuning)
	if err != nil {
		if ctx.Err() == nil {
			g.metrics.swaps.WithLabelValues("refused").Inc()
			g.refuse(id, err)
		}
		return nil, err
	}
	g.refused = refusal{}
	if err := g.catalog.fallBack(ctx, g.bucket, next.cut()); err != nil {
		g.log.Warn("catalogue snapshot of the generation not used", "generation", id, "error", err)
	}
	return next, nil
}

func (g *generations) refuse(id string, err error) {
	if g.refused.id != id {
		g.refused = refusal{id: id, wait: g.poll}
	}
	g.refused.err = err
	g.refused.until = g.now().Add(g.refused.wait)
	g.refused.wait = min(2*g.refused.wait, maxRetry)
}

// swap makes next current, with the catalogue as it is now.
func (g *generations) swap(next *generation) error {
	before := g.current.Load()
	if version := g.catalog.items.version(); version != next.catalog {
		indexed, err := next.withCatalog(g.catalog.recommendable(), version)
		if err != nil {
			return err
		}
		next = indexed
	}
	if next == before {
		return nil
	}
	g.current.Store(next)
	g.metrics.cut.Set(float64(next.cut()))
	if next.id() != before.id() {
		g.metrics.swaps.WithLabelValues("taken").Inc()
		g.log.Info("generation swapped in", "generation", next.id(), "cut", next.cut(), "before", before.id())
	}
	return nil
}
