package nightly

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// The steps, in order.
const (
	StepInputGate   = "input_gate"
	StepMaterialize = "materialize"
	StepTrain       = "train"
	StepEvaluate    = "evaluate"
	StepOutputGate  = "output_gate"
	StepPublish     = "publish"
)

// Status says what a call of a step did.
type Status string

// The statuses.
const (
	Done    Status = "done"
	Skipped Status = "skipped" // its inputs did not change
)

// Entry is a ledger entry: what a step did, from which inputs, and what came out.
type Entry struct {
	Step       string             `json:"step"`
	Generation string             `json:"generation"` // the hash in it is that of the inputs
	Version    string             `json:"version,omitzero"`
	Inputs     model.Inputs       `json:"inputs"`
	Counts     model.Counts       `json:"counts,omitzero"`
	Partitions []string           `json:"partitions,omitempty"` // of the warehouse, that were replaced
	Outputs    []model.File       `json:"outputs,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	Gates      string             `json:"gates,omitzero"`     // the hash of the gates that were asked
	Warnings   []string           `json:"warnings,omitempty"` // the gates that did not hold and do not block
	Started    time.Time          `json:"started"`
	Millis     int64              `json:"duration_ms"`
}

// LedgerKey returns the key of a step's ledger entry.
func LedgerKey(label time.Time, step string) string {
	return ledger.Key(label, step+".json")
}

// Outcome is what a call of a step answers: the ledger entry and whether it was there already.
type Outcome struct {
	Status Status `json:"status"`
	Entry
}

// step runs body unless the ledger says that it is done and nothing forces it.
func (r *Run) step(ctx context.Context, name string, force bool, body func(*Entry) error) (Outcome, error) {
	old, err := r.entry(ctx, name)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", name, err)
	}
	if old != nil && !force {
		whole, err := r.outputsThere(ctx, *old)
		if err != nil {
			return Outcome{}, fmt.Errorf("%s: %w", name, err)
		}
		if whole {
			r.c.Ledger.Pass(name)(string(Skipped))
			return Outcome{Status: Skipped, Entry: *old}, nil
		}
	}
	end, err := r.c.Ledger.Step(ctx, name)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", name, err)
	}
	e, err := r.do(ctx, name, old, body)
	if err != nil {
		return Outcome{}, errors.Join(fmt.Errorf("%s: %w", name, err), end(ledger.Failed))
	}
	r.c.Log.InfoContext(ctx, "step done", "step", name, "generation", r.id, "duration_ms", e.Millis)
	if err := end(string(Done)); err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", name, err)
	}
	return Outcome{Status: Done, Entry: e}, nil
}

// do runs body and leaves its entry in the ledger.
func (r *Run) do(ctx context.Context, name string, old *Entry, body func(*Entry) error) (Entry, error) {
	start := r.c.Clock()
	e := Entry{Step: name, Generation: r.id, Version: r.c.Version, Inputs: r.inputs, Started: start.UTC()}
	if err := body(&e); err != nil {
		return e, err
	}
	e.Millis = r.c.Clock().Sub(start).Milliseconds()
	if old != nil && old.sameResult(e) { // a forced run that changed nothing leaves no trace
		return e, nil
	}
	if _, err := r.c.Bucket.PutJSON(ctx, LedgerKey(r.at.Mark.Label, name), e); err != nil {
		return e, fmt.Errorf("note it in the ledger: %w", err)
	}
	return e, nil
}

// entry returns the ledger's entry of a step for exactly this run's inputs, or nil.
func (r *Run) entry(ctx context.Context, step string) (*Entry, error) {
	var e Entry
	_, err := r.c.Bucket.GetJSON(ctx, LedgerKey(r.at.Mark.Label, step), &e)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the ledger: %w", err)
	case e.Generation != r.id:
		return nil, nil
	}
	return &e, nil
}

// need returns the entry of an earlier step, which must be done.
func (r *Run) need(ctx context.Context, step string) (*Entry, error) {
	e, err := r.entry(ctx, step)
	if err == nil && e == nil {
		err = api.Errorf(api.Invalid, "the step %s has not run for %s with these inputs: run `anabranch %s` first", step, r.at.Mark.Label.Format(time.RFC3339), step)
	}
	return e, err
}

// outputsThere reports whether every output of an entry still lies in the bucket.
func (r *Run) outputsThere(ctx context.Context, e Entry) (bool, error) {
	for _, f := range e.Outputs {
		attrs, err := r.c.Bucket.Head(ctx, model.GenerationPrefix(r.id)+f.Name)
		if errors.Is(err, bucket.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if attrs.Size != f.Bytes {
			return false, nil
		}
	}
	return true, nil
}

// sameResult reports whether two entries differ in nothing but time, code and what had to be replaced.
func (e Entry) sameResult(o Entry) bool {
	return e.Generation == o.Generation && e.Counts == o.Counts && maps.Equal(e.Metrics, o.Metrics) && e.Gates == o.Gates &&
		slices.EqualFunc(e.Outputs, o.Outputs, func(a, b model.File) bool { return a.Name == b.Name && a.SHA256 == b.SHA256 })
}

// store puts files of the generation and notes them as outputs.
func (r *Run) store(ctx context.Context, e *Entry, files ...artifact.Encoded) error {
	for _, f := range files {
		if err := artifact.Store(ctx, r.c.Bucket, r.id, f); err != nil {
			return err
		}
		e.Outputs = append(e.Outputs, f.File)
	}
	return nil
}

// progress returns the callback for a step, never nil.
func (r *Run) progress(step string) func(done, total int64) {
	if r.c.Progress == nil {
		return func(int64, int64) {}
	}
	return func(done, total int64) { r.c.Progress(step, done, total) }
}

// Entries returns what the steps of a label have left, in their order.
func Entries(ctx context.Context, b *bucket.Bucket, label time.Time) ([]Entry, error) {
	var out []Entry
	for _, step := range []string{StepInputGate, StepMaterialize, StepTrain, StepEvaluate, StepOutputGate, StepPublish} {
		var e Entry
		_, err := b.GetJSON(ctx, LedgerKey(label, step), &e)
		if errors.Is(err, bucket.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the run ledger: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}
