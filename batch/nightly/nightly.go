package nightly

import (
	"context"
	"time"

	"github.com/anabranch/anabranch/schemas/model"
)

// Result is what a whole run did.
type Result struct {
	Label      time.Time          `json:"label"`
	Generation string             `json:"generation"`
	Unchanged  bool               `json:"unchanged"` // every step was skipped: there was nothing to do
	Counts     model.Counts       `json:"counts"`
	Metrics    map[string]float64 `json:"metrics"`
	Steps      []Outcome          `json:"steps"`
}

// Do runs the steps in order. On an error the result holds the steps before it.
func (r *Run) Do(ctx context.Context) (Result, error) {
	result := Result{Label: r.at.Mark.Label, Generation: r.id, Unchanged: true}
	for _, step := range []func(context.Context) (Outcome, error){r.InputGate, r.Materialize, r.Train, r.Evaluate, r.OutputGate, r.Publish} {
		o, err := step(ctx)
		if err != nil {
			result.Unchanged = false
			return result, err
		}
		result.Steps = append(result.Steps, o)
		result.Unchanged = result.Unchanged && o.Status == Skipped
		if o.Step == StepPublish {
			result.Counts, result.Metrics = o.Counts, o.Metrics
		}
	}
	return result, nil
}
