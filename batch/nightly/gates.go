package nightly

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/batch/quality"
)

// InputGate measures the rows that are new to the night and asks the gates about them. What they say is in the report also
// when they refuse.
func (r *Run) InputGate(ctx context.Context) (Outcome, error) {
	return r.gate(ctx, StepInputGate, quality.Input, func(e *Entry) error {
		known, err := r.catalogueItems(ctx)
		if err != nil {
			return err
		}
		files, err := r.newFiles(ctx)
		if err != nil {
			return err
		}
		profile, err := quality.Scan(ctx, quality.Rowset{Bucket: r.c.Bucket, Files: files, Items: known, AsOf: r.inputs.AsOf.UnixMilli()}, r.c.Gates)
		if err != nil {
			return err
		}
		before, err := quality.Before(ctx, r.c.Bucket, r.at.Mark.Label, quality.Input, r.c.Gates.Nights())
		if err != nil {
			return err
		}
		profile.Drift(quality.Profiles(before))
		verdicts := r.c.Gates.Judge(quality.Input, profile.Metrics, quality.Numbers(before), profile.Findings)
		return r.report(ctx, e, quality.Report{Stage: quality.Input, Profile: &profile, Verdicts: verdicts})
	})
}

// OutputGate asks the gates about what was computed and measured, before it is published.
func (r *Run) OutputGate(ctx context.Context) (Outcome, error) {
	return r.gate(ctx, StepOutputGate, quality.Output, func(e *Entry) error {
		made, err := r.need(ctx, StepMaterialize)
		if err != nil {
			return err
		}
		evaluated, err := r.need(ctx, StepEvaluate)
		if err != nil {
			return err
		}
		m, c := map[string]float64{}, made.Counts
		if maps.Copy(m, evaluated.Metrics); m[MetricCases] == 0 { // the others say nothing
			m = map[string]float64{MetricCases: 0}
		}
		for name, n := range map[string]int64{"events": c.Events, "duplicates": c.Duplicates, "rejected": c.Rejected, "users": c.Users, "items": c.Items} {
			m[name] = float64(n)
		}
		m["duplicate_rate"] = float64(c.Duplicates) / float64(max(1, c.Events+c.Duplicates))
		before, err := quality.Before(ctx, r.c.Bucket, r.at.Mark.Label, quality.Output, r.c.Gates.Nights())
		if err != nil {
			return err
		}
		verdicts := r.c.Gates.Judge(quality.Output, m, quality.Numbers(before), nil)
		return r.report(ctx, e, quality.Report{Stage: quality.Output, Metrics: m, Verdicts: verdicts})
	})
}

// gate is a step that is done again unless its report is what these gates said.
func (r *Run) gate(ctx context.Context, name string, stage quality.Stage, body func(*Entry) error) (Outcome, error) {
	old, err := quality.Read(ctx, r.c.Bucket, r.at.Mark.Label, stage)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", name, err)
	}
	asked := old != nil && old.Generation == r.id && old.Gates == r.c.Gates.Hash && len(quality.Blocked(old.Verdicts)) == 0
	return r.step(ctx, name, r.c.Force || !asked, body)
}

// report stores what the gates said, tells of those that only warn, and fails where one blocks.
func (r *Run) report(ctx context.Context, e *Entry, report quality.Report) error {
	report.Label, report.Generation, report.Gates = r.at.Mark.Label, r.id, r.c.Gates.Hash
	report.CutN = r.at.Mark.N
	e.Gates = r.c.Gates.Hash
	for _, v := range report.Verdicts {
		if !v.Holds {
			e.Warnings = append(e.Warnings, v.Gate)
			r.c.Log.WarnContext(ctx, "a gate does not hold", "stage", v.Stage, "gate", v.Gate, "action", v.Action, "says", v.Says)
		}
	}
	return quality.Store(ctx, r.c.Bucket, report)
}

// newFiles are the files that no night before has let pass: what one took in that was blocked is looked at again.
func (r *Run) newFiles(ctx context.Context) ([]materialize.File, error) {
	passed, err := quality.Before(ctx, r.c.Bucket, r.at.Mark.Label, quality.Output, 1)
	if err != nil {
		return nil, err
	}
	from := int64(math.MinInt64) // with imports, whose epochs are negative
	for _, p := range passed {
		from = p.CutN
	}
	var out []materialize.File
	for _, f := range r.source.Files {
		if f.Epoch >= from {
			out = append(out, f)
		}
	}
	return out, nil
}

// catalogueItems says which items the night's snapshot of the catalogue has, nil where it is empty.
func (r *Run) catalogueItems(ctx context.Context) (func(id []byte) bool, error) {
	data, _, err := r.c.Bucket.Get(ctx, SnapshotKey(r.at.Mark.N, "items"))
	if err != nil {
		return nil, err
	}
	ids := map[string]struct{}{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var item struct {
			ID string `json:"item_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			return nil, fmt.Errorf("snapshot of the catalogue for mark %d: %w", r.at.Mark.N, err)
		}
		ids[item.ID] = struct{}{}
	}
	if len(ids) == 0 {
		return nil, lines.Err()
	}
	return func(id []byte) bool { _, there := ids[string(id)]; return there }, lines.Err()
}
