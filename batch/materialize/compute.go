package materialize

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Options say what to compute.
type Options struct {
	Catalogue feature.Catalogue
	Weights   model.Weights
	AsOf      int64            // Unix ms: views answer reads at or after it only, and are pruned as of then or up to eight days before (tile.Turn)
	Dates     func(int32) bool // which warehouse partitions to aggregate; nil: none

	// Previous, if given, is continued: only the epochs since its cut are read. Continues says whether
	// that is possible; Compute does not ask again.
	Previous *Previous

	Threads int    // workers; 0 means one a CPU; never changes the result
	Memory  int64  // bytes to use; 0 means DefaultMemory; less takes longer and never changes the result
	Dir     string // for temporary files; "" is the system's folder

	// Progress is told how many rows of how many a phase (read, users, items) has done.
	Progress func(phase string, done, total int64)

	next int64 // the epoch that follows the source
}

// Result is what Compute made of the history. Close removes it.
type Result struct {
	Counts Counts
	Files  []artifact.Local // user, item, global and recent table; none when there is no event
	Daily  *Daily           // rows of the warehouse

	// Merging is how long it took to merge sorted runs, and to copy what did not change, into the tables, added
	// up over workers.
	Merging time.Duration

	dir     string
	engines []*engine
}

// Counts are those of the manifest.
type Counts = model.Counts

// Close removes the local files and everything that was put aside.
func (r *Result) Close() error {
	var errs []error
	for _, e := range r.engines {
		errs = append(errs, e.scratch.Close())
	}
	if r.dir != "" {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}

// Compute reads a source and makes its views and aggregates, in local files. Close the result.
func Compute(ctx context.Context, b *bucket.Bucket, s Source, o Options) (*Result, error) {
	r := &Result{}
	if err := r.compute(ctx, b, s, o); err != nil {
		return nil, errors.Join(fmt.Errorf("read history: %w", err), r.Close())
	}
	return r, nil
}

func (r *Result) compute(ctx context.Context, b *bucket.Bucket, s Source, o Options) (err error) {
	p, err := compile(o.Catalogue)
	if err != nil {
		return err
	}
	if r.dir, err = viewDir(o.Dir); err != nil {
		return err
	}
	o.next = s.Epochs
	files := s.Files
	if o.Previous != nil {
		files = s.since(o.Previous.Inputs.CutN)
	}
	separate := o.Previous != nil && s.hasOlder(o.Previous.Inputs.CutN, o.Dates)
	views := o
	if separate {
		views.Dates = nil
	}
	e := newEngine(p, views, files)
	e.views, e.dir, e.previous = true, r.dir, o.Previous
	r.engines = append(r.engines, e)
	if err := e.run(ctx, b); err != nil {
		return err
	}
	r.Counts, r.Merging = e.counts, time.Duration(e.merging.Load())
	if e.counts.Events == 0 {
		return nil
	}
	r.Files, r.Daily = e.locals, e.daily
	if separate {
		r.Daily, err = r.dailyAlone(ctx, b, s, o)
	}
	return err
}

// hasOlder reports whether a wanted warehouse partition has files of epochs before n.
func (s Source) hasOlder(n int64, wanted func(int32) bool) bool {
	for _, f := range s.Files {
		if f.Epoch < n && wanted != nil && wanted(f.Date) {
			return true
		}
	}
	return false
}

// dailyAlone aggregates warehouse partitions from all their epochs, and from each epoch before one of
// theirs, on which the duplicate rule looks back.
func (r *Result) dailyAlone(ctx context.Context, b *bucket.Bucket, s Source, o Options) (*Daily, error) {
	wanted := map[int64]bool{}
	for _, f := range s.Files {
		if o.Dates(f.Date) {
			wanted[f.Epoch], wanted[f.Epoch-1] = true, true
		}
	}
	var files []File
	for _, f := range s.Files {
		if wanted[f.Epoch] {
			files = append(files, f)
		}
	}
	none, err := compile(feature.Catalogue{})
	if err != nil {
		return nil, err
	}
	o.Previous = nil
	e := newEngine(none, o, files)
	r.engines = append(r.engines, e)
	if err := e.run(ctx, b); err != nil {
		return nil, err
	}
	return e.daily, nil
}

// run does one pass over the engine's files.
func (e *engine) run(ctx context.Context, b *bucket.Bucket) error {
	if err := e.loadPrevious(); err != nil {
		return err
	}
	if err := e.read(ctx, b); err != nil {
		return err
	}
	e.rankPrevious()
	users, err := e.aggregateUsers(ctx)
	if err != nil {
		return err
	}
	e.sides[byUser].blocks = nil
	e.counts.Duplicates = e.duplicate.len()
	e.counts.Events = e.counts.Rows - e.counts.Rejected - e.counts.Duplicates
	if e.previous != nil {
		before := e.previous.Counts
		e.counts.Rows += before.Rows
		e.counts.Events += before.Events
		e.counts.Duplicates += before.Duplicates
		e.counts.Rejected += before.Rejected
	}
	if e.counts.Events == 0 {
		return nil
	}
	items, err := e.aggregateItems(ctx, users)
	if err != nil {
		return err
	}
	e.daily = newDaily(users, items)
	if !e.views {
		return nil
	}
	e.counts.Users, e.counts.Items = e.locals[0].File.Rows, e.locals[1].File.Rows
	return nil
}

// aggregateItems makes the views of all items and of the whole, and meanwhile the files of what is
// complete.
func (e *engine) aggregateItems(ctx context.Context, users []userRuns) ([]itemRuns, error) {
	runs := make([]itemRuns, e.parts(byItem))
	e.locals = make([]artifact.Local, 4)
	p := e.progress("items", e.sides[byItem].rows)
	first := []func() error{
		func() (err error) { e.locals[2], err = e.writeGlobal(); return err },
		func() (err error) { e.locals[0], err = e.writeUsers(userViews(users)); return err },
		func() (err error) { e.locals[3], err = e.writeRecents(userRecents(users)); return err },
	}
	if !e.views {
		first = nil
	}
	err := e.workers(ctx, len(first)+len(runs), func() (func(int) error, error) {
		var w *itemWorker
		return func(i int) error {
			if i < len(first) {
				return first[i]()
			}
			if w == nil {
				w = newItemWorker(e)
			}
			return w.part(i-len(first), &runs[i-len(first)], p)
		}, nil
	})
	if err != nil || !e.views {
		return runs, err
	}
	e.locals[1], err = e.writeItems(itemViews(runs))
	return runs, err
}

func (e *engine) writeGlobal() (artifact.Local, error) {
	view, err := e.foldGlobal()
	if err != nil {
		return artifact.Local{}, err
	}
	w, err := artifact.NewView(e.dir, model.GlobalViewFile)
	if err != nil {
		return artifact.Local{}, err
	}
	if err := w.Add([]byte(feature.GlobalID), view); err != nil {
		return artifact.Local{}, errors.Join(err, w.Discard())
	}
	return w.Close()
}

func userViews(runs []userRuns) (out []*run) {
	for _, r := range runs {
		out = append(out, r.views)
	}
	return out
}

func userRecents(runs []userRuns) (out []*run) {
	for _, r := range runs {
		out = append(out, r.recents)
	}
	return out
}

func itemViews(runs []itemRuns) (out []*run) {
	for _, r := range runs {
		out = append(out, r.views)
	}
	return out
}
