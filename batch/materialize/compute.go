package materialize

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
	"golang.org/x/sync/errgroup"
)

// Options say what to compute.
type Options struct {
	Catalogue feature.Catalogue
	Weights   model.Weights
	AsOf      int64            // Unix ms: views are pruned as of it and answer reads at or after it only
	Dates     func(int32) bool // which warehouse partitions to aggregate; nil: none
	Threads   int              // workers; 0 means one a CPU; never changes the result
	Progress  func(done, total int64)
}

// plans are the compiled catalogue.
type plans struct {
	user, item, global *tile.Plan
}

func compile(c feature.Catalogue) (p plans, err error) {
	for _, e := range []struct {
		entity feature.Entity
		into   **tile.Plan
	}{{feature.User, &p.user}, {feature.Item, &p.item}, {feature.Global, &p.global}} {
		if *e.into, err = tile.Compile(c, e.entity); err != nil {
			return plans{}, err
		}
	}
	return p, nil
}

// Result is what Compute made of the history: views, encoded, and the rows of the warehouse.
type Result struct {
	Counts Counts
	Files  []artifact.Encoded // user, item and global view; none when there is no event
	Daily  Daily
}

// Counts are those of the manifest.
type Counts = model.Counts

// Compute reads a source and returns its views and aggregates. It writes nothing.
func Compute(ctx context.Context, b *bucket.Bucket, s Source, o Options) (Result, error) {
	p, err := compile(o.Catalogue)
	if err != nil {
		return Result{}, err
	}
	e := newEngine(p, o)
	if err := e.read(ctx, b, s); err != nil {
		return Result{}, fmt.Errorf("read history: %w", err)
	}
	return e.finish()
}

// engine holds the state of one Compute.
type engine struct {
	plans
	o       Options
	decoder *decoder
	workers []*worker
	global  tile.Bucket
	counts  Counts
}

func newEngine(p plans, o Options) *engine {
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	e := &engine{plans: p, o: o, decoder: newDecoder(), global: p.global.NewBucket()}
	for i := range o.Threads {
		e.workers = append(e.workers, newWorker(e, i, o.Threads))
	}
	return e
}

// read decodes all files on one goroutine and applies their chunks on the workers, in order.
func (e *engine) read(ctx context.Context, b *bucket.Bucket, s Source) error {
	g, ctx := errgroup.WithContext(ctx)
	chunks := make(chan *chunk, 2)
	g.Go(func() error {
		defer close(chunks)
		for i := range s.Files {
			err := e.decoder.read(ctx, b, &s.Files[i], func(c *chunk) error {
				select {
				case chunks <- c:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for c := range chunks {
			e.apply(c)
			if e.o.Progress != nil {
				e.o.Progress(e.counts.Rows, s.Rows)
			}
		}
		return nil
	})
	return g.Wait()
}

// apply adds the rows of a chunk to every state.
func (e *engine) apply(c *chunk) {
	aggregate := e.o.Dates != nil && e.o.Dates(c.file.Date)
	e.parallel(func(w *worker) { w.addToUsers(c, aggregate) })
	e.parallel(func(w *worker) { w.addToItems(c, aggregate) })
	e.counts.Rows += c.total()
	e.counts.Rejected += c.rejected
	for i := range c.rows {
		if c.skip[i] {
			e.counts.Duplicates++
		} else {
			e.counts.Events++
		}
	}
}

// parallel runs f for each worker and waits.
func (e *engine) parallel(f func(*worker)) {
	var wg sync.WaitGroup
	for _, w := range e.workers[1:] {
		wg.Go(func() { f(w) })
	}
	f(e.workers[0])
	wg.Wait()
}
