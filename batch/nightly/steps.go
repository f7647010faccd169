package nightly

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// Materialize computes views and training rows, and rebuilds the warehouse partitions whose inputs
// changed. A stale partition is rebuilt even if the ledger says that the step is done.
func (r *Run) Materialize(ctx context.Context) (Outcome, error) {
	stale, err := materialize.FindStale(ctx, r.c.Bucket, r.c.Warehouse, r.source, r.c.Weights, r.c.Force)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: find stale partitions: %w", StepMaterialize, err)
	}
	return r.step(ctx, StepMaterialize, r.c.Force || len(stale) > 0, func(e *Entry) error {
		return r.materialize(ctx, e, stale)
	})
}

// Train learns vectors from the training rows that Materialize left.
func (r *Run) Train(ctx context.Context) (Outcome, error) {
	return r.step(ctx, StepTrain, r.c.Force, func(e *Entry) error {
		h, err := r.loadHistory(ctx)
		if err != nil {
			return err
		}
		v, err := h.train(ctx, r.c.Train, r.c.Threads, r.progress(StepTrain))
		if err != nil {
			return err
		}
		if err := v.check(); err != nil {
			return err
		}
		users, err := artifact.UserVectors(h.users, v.users, v.dim)
		if err != nil {
			return err
		}
		items, err := artifact.ItemVectors(h.items, v.items, v.dim, h.popularity())
		if err != nil {
			return err
		}
		return r.store(ctx, e, users, items)
	})
}

// Evaluate measures how the vectors rank the interactions that training did not see.
func (r *Run) Evaluate(ctx context.Context) (Outcome, error) {
	return r.step(ctx, StepEvaluate, r.c.Force, func(e *Entry) error {
		trained, err := r.need(ctx, StepTrain)
		if err != nil {
			return err
		}
		h, err := r.loadHistory(ctx)
		if err != nil {
			return err
		}
		table, err := r.load(ctx, trained, model.ItemVectorsFile)
		if err != nil {
			return err
		}
		items, dim, err := table.Floats("vector")
		if err != nil {
			return err
		}
		if e.Metrics, err = h.evaluate(ctx, r.c.Train, vectors{items: items, dim: dim}); err != nil {
			return err
		}
		if err := gateMetrics(e.Metrics); err != nil {
			return err
		}
		data, err := bucket.EncodeJSON(e.Metrics)
		if err != nil {
			return err
		}
		return r.store(ctx, e, artifact.Plain(model.MetricsFile, data))
	})
}

// Publish makes the generation exist and current. A generation that was published before stays where
// it is: a rollback is somebody's decision that a repeated run does not undo.
func (r *Run) Publish(ctx context.Context) (Outcome, error) {
	manifest, published, err := r.beforePublish(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", StepPublish, err)
	}
	return r.step(ctx, StepPublish, r.c.Force || !published, func(e *Entry) error {
		file, err := publish.Store(ctx, r.c.Bucket, manifest)
		if err != nil {
			return err
		}
		if !published {
			if _, err := r.c.Publisher.Publish(ctx, manifest); err != nil {
				return err
			}
		}
		e.Counts, e.Metrics, e.Outputs = manifest.Counts, manifest.Metrics, []model.File{file}
		return nil
	})
}

// beforePublish returns the manifest and whether the generation was published before: the ledger says
// so, and the pointer is still there.
func (r *Run) beforePublish(ctx context.Context) (m model.Manifest, published bool, err error) {
	if m, err = r.manifest(ctx); err != nil {
		return m, false, err
	}
	old, err := r.entry(ctx, StepPublish)
	if err != nil {
		return m, false, err
	}
	at, _, err := artifact.ReadPointer(ctx, r.c.Bucket)
	return m, old != nil && at.Sequence > 0, err
}

// manifest puts together what the steps left.
func (r *Run) manifest(ctx context.Context) (model.Manifest, error) {
	m := model.Manifest{ID: r.id, Inputs: r.inputs}
	for _, step := range []string{StepMaterialize, StepTrain, StepEvaluate} {
		e, err := r.need(ctx, step)
		if err != nil {
			return model.Manifest{}, err
		}
		m.Files = append(m.Files, e.Outputs...)
		switch step {
		case StepMaterialize:
			m.Counts = e.Counts
		case StepEvaluate:
			m.Metrics = e.Metrics
		}
	}
	slices.SortFunc(m.Files, func(a, b model.File) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

// output returns a file that an earlier step left.
func (e *Entry) output(name string) (model.File, error) {
	for _, f := range e.Outputs {
		if f.Name == name {
			return f, nil
		}
	}
	return model.File{}, fmt.Errorf("the ledger entry of %s lists no %s", e.Step, name)
}

// load reads an Arrow file that an earlier step left.
func (r *Run) load(ctx context.Context, e *Entry, name string) (*artifact.Table, error) {
	f, err := e.output(name)
	if err != nil {
		return nil, err
	}
	return artifact.Load(ctx, r.c.Bucket, r.id, f)
}

// scan reads a view that an earlier step left, row by row. Keys and values are valid during the call of row.
func (r *Run) scan(ctx context.Context, e *Entry, name string, row func(key, value []byte) error) (err error) {
	f, err := e.output(name)
	if err != nil {
		return err
	}
	view, err := artifact.LoadView(ctx, r.c.Bucket, r.id, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	rows := view.Iter()
	for rows.Next() {
		if err := row(rows.Key(), rows.Value()); err != nil {
			return err
		}
	}
	return rows.Err()
}

// loadHistory reads the training rows that Materialize left.
func (r *Run) loadHistory(ctx context.Context) (*history, error) {
	e, err := r.need(ctx, StepMaterialize)
	if err != nil {
		return nil, err
	}
	var h history
	if err := r.scan(ctx, e, model.ItemViewFile, h.addItem); err != nil {
		return nil, err
	}
	if err := r.scan(ctx, e, model.UserViewFile, h.addUser); err != nil {
		return nil, err
	}
	return &h, nil
}
