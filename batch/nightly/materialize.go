package nightly

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/api"
)

// materialize computes and stores the views, continued from an earlier generation where that is
// possible, and replaces the stale partitions of the warehouse.
func (r *Run) materialize(ctx context.Context, e *Entry, stale materialize.Stale) (err error) {
	previous, closePrevious, err := r.previous(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closePrevious()) }()
	defer materialize.BoundHeap(r.c.Memory)()
	result, err := materialize.Compute(ctx, r.c.Bucket, r.source, materialize.Options{
		Catalogue: r.c.Catalogue, Weights: r.c.Weights, AsOf: r.inputs.AsOf.UnixMilli(),
		Dates: stale.Has, Previous: previous,
		Threads: r.c.Threads, Memory: r.c.Memory, Dir: r.c.Dir, Progress: r.phases(StepMaterialize),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	e.Counts = result.Counts
	if e.Counts.Events == 0 {
		return api.Errorf(api.Gate, "there is not one valid event up to %s (%d rows, %d rejected): nothing can be learned; send events, then run this again for a later date",
			r.at.Mark.Date(), e.Counts.Rows, e.Counts.Rejected)
	}
	for _, l := range result.Files {
		if err := artifact.StoreLocal(ctx, r.c.Bucket, r.id, l); err != nil {
			return err
		}
		e.Outputs = append(e.Outputs, l.File)
	}
	if err := r.store(ctx, e, artifact.Features(r.c.Catalogue)); err != nil {
		return err
	}
	e.Partitions = stale.Dates()
	return materialize.Replace(ctx, r.c.Bucket, r.c.Warehouse, stale, result.Daily)
}

// previous opens the latest retained generation that this one can be continued from. It returns nil where
// there is none, or where everything is to be computed again.
func (r *Run) previous(ctx context.Context) (p *materialize.Previous, closeIt func() error, err error) {
	closeIt = func() error { return nil }
	if r.c.Force {
		return nil, closeIt, nil
	}
	pointer, _, err := artifact.ReadPointer(ctx, r.c.Bucket)
	if err != nil {
		return nil, closeIt, err
	}
	for _, g := range slices.Backward(pointer.Retained) { // by cut, descending
		views, reasons := r.continues(ctx, g.ID)
		if len(reasons) > 0 {
			r.c.Log.InfoContext(ctx, "cannot continue from a generation", "generation", g.ID, "reasons", reasons)
			continue
		}
		r.c.Log.InfoContext(ctx, "continuing from a generation", "generation", g.ID)
		m := views.Manifest
		return &materialize.Previous{
			Inputs: m.Inputs, Counts: m.Counts,
			Users: views.User, Items: views.Item, Global: views.Global, Recent: views.Recent,
		}, views.Close, nil
	}
	return nil, closeIt, nil
}

// continues opens the views of a generation, or says why this one cannot be continued from it. A
// damaged generation is such a reason: everything can be computed again.
func (r *Run) continues(ctx context.Context, id string) (*artifact.Views, []string) {
	m, err := artifact.ReadManifest(ctx, r.c.Bucket, id)
	if err != nil {
		return nil, []string{err.Error()}
	}
	if reasons := materialize.Continues(m.Inputs, r.inputs); len(reasons) > 0 {
		return nil, reasons
	}
	views, err := artifact.OpenViews(ctx, r.c.Bucket, id, r.c.Dir)
	if err != nil {
		return nil, []string{err.Error()}
	}
	return views, nil
}

// phases returns the callback for a step of several phases.
func (r *Run) phases(step string) func(phase string, done, total int64) {
	if r.c.Progress == nil {
		return nil
	}
	return func(phase string, done, total int64) {
		r.c.Progress(fmt.Sprintf("%s: %s", step, phase), done, total)
	}
}
