package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// nightFlags are what the night and its single steps share.
type nightFlags struct {
	stores
	demands
	Date       string        `required:"" placeholder:"DATE" help:"The date to close, such as 2026-01-31 or yesterday (UTC), or an instant in RFC 3339."`
	Force      bool          `help:"Compute again what is done; the bytes must be the same."`
	Wait       time.Duration `default:"10m" help:"How long to wait for the archive before giving up with exit code 75."`
	DryRun     bool          `help:"Only say what would be done."`
	JSON       bool          `help:"Print one JSON object a step."`
	Partitions int32         `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
	ExitSame   int           `name:"exit-code-unchanged" default:"0" placeholder:"CODE" help:"Exit code when there is nothing to do."`
}

type nightlyCmd struct{ nightFlags }

// Run closes the date and runs every step.
func (c *nightlyCmd) Run(rt *runtimeEnv) error {
	return c.run(rt, "nightly", func(ctx context.Context, r *nightly.Run) (nightly.Result, error) { return r.Do(ctx) })
}

type materializeCmd struct{ nightFlags }

// Run closes the date and computes views and aggregates.
func (c *materializeCmd) Run(rt *runtimeEnv) error {
	return c.step(rt, nightly.StepMaterialize, (*nightly.Run).InputGate, (*nightly.Run).Materialize)
}

type trainCmd struct{ nightFlags }

// Run trains the vectors of a materialized date.
func (c *trainCmd) Run(rt *runtimeEnv) error {
	return c.step(rt, nightly.StepTrain, (*nightly.Run).Train)
}

type evaluateCmd struct{ nightFlags }

// Run measures the trained vectors of a date.
func (c *evaluateCmd) Run(rt *runtimeEnv) error {
	return c.step(rt, nightly.StepEvaluate, (*nightly.Run).Evaluate)
}

type publishCmd struct{ nightFlags }

// Run publishes the evaluated generation of a date.
func (c *publishCmd) Run(rt *runtimeEnv) error {
	return c.step(rt, nightly.StepPublish, (*nightly.Run).OutputGate, (*nightly.Run).Publish)
}

// step runs steps of which the last is told of: those before it are its gates.
func (c *nightFlags) step(rt *runtimeEnv, name string, steps ...func(*nightly.Run, context.Context) (nightly.Outcome, error)) error {
	return c.run(rt, name, func(ctx context.Context, r *nightly.Run) (nightly.Result, error) {
		var o nightly.Outcome
		unchanged := true
		for _, one := range steps {
			var err error
			if o, err = one(r, ctx); err != nil {
				return nightly.Result{}, err
			}
			unchanged = unchanged && o.Status == nightly.Skipped
		}
		return nightly.Result{
			Label: o.Inputs.Label, Generation: r.ID(), Unchanged: unchanged,
			Counts: o.Counts, Metrics: o.Metrics, Steps: []nightly.Outcome{o},
		}, nil
	})
}

func (c *nightFlags) run(rt *runtimeEnv, command string, do func(context.Context, *nightly.Run) (nightly.Result, error)) (err error) {
	label, err := model.ParseLabel(c.Date, rt.now())
	if err != nil {
		return err
	}
	features, gates, err := c.demands.read()
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.plan(rt, label)
	}
	p, err := rt.openLog(&c.stores, c.Partitions, true)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	result, err := rt.night(rt.ctx, p, night{command: command, label: label, force: c.Force, wait: c.Wait, archive: p.standalone, features: features, gates: gates}, do)
	return errors.Join(c.print(rt, result), err)
}

// plan says which mark a run would write.
func (c *nightFlags) plan(rt *runtimeEnv, label time.Time) error {
	b, err := c.openExistingBucket(rt.ctx)
	if err != nil {
		return err
	}
	m, err := markOf(rt.ctx, b, label)
	switch {
	case err != nil:
		return err
	case m.Label.Equal(label):
		_, err = fmt.Fprintf(rt.stdout, "would run the steps that are not done for mark %d (%s)\n", m.N, label.Format(time.RFC3339))
	default:
		_, err = fmt.Fprintf(rt.stdout, "would write mark %d with label %s, wait for the archive, then materialize, train, evaluate and publish\n",
			m.N, label.Format(time.RFC3339))
	}
	return err
}

// night says what one run of the night is about.
type night struct {
	command  string // for the run ledger
	label    time.Time
	force    bool
	wait     time.Duration
	archive  bool // nobody else archives: do it here while waiting
	quiet    bool // no progress on the terminal
	features feature.Catalogue
	gates    quality.Gates
}

// night closes an epoch and runs the steps that do asks for, as the only one who works on the label.
func (rt *runtimeEnv) night(ctx context.Context, p *parts, n night, do func(context.Context, *nightly.Run) (nightly.Result, error)) (result nightly.Result, err error) {
	if err := refuseNothing(ctx, p); err != nil {
		return nightly.Result{}, err
	}
	if _, err := markOf(ctx, p.bucket, n.label); err != nil {
		return nightly.Result{}, err
	}
	attempt, ctx, err := ledger.Begin(ctx, ledger.Options{
		Bucket: p.bucket, Label: n.label, ID: ulid.Make().String(), Command: n.command, Version: Version(), Clock: rt.now,
	})
	if err != nil {
		return nightly.Result{}, err
	}
	defer func() {
		if lost := context.Cause(ctx); lost != nil && err != nil { // why everything else failed
			err = lost
		}
		err = errors.Join(err, attempt.End(ctx, err))
	}()
	log := slog.New(attempt.Handler(rt.log.Handler()))
	end := attempt.Pass("close")
	m, cut, err := rt.closeEpoch(ctx, p, n, log)
	if err != nil {
		end(ledger.Failed)
		return nightly.Result{}, err
	}
	end(string(nightly.Done))
	bar := newProgress(rt.stderr, n.quiet)
	defer bar.done()
	ready := publisher(p.bucket)
	ready.Ready = rt.liveReady(p)
	run, err := nightly.Open(ctx, nightly.Config{
		Bucket: p.bucket, Warehouse: p.warehouse, Catalogue: n.features,
		Train: model.DefaultTrainParams(), Weights: model.DefaultWeights(), Gates: n.gates, Snapshot: rt.snapshots(p.servers),
		Publisher: ready, Clock: rt.now, Progress: bar.show, Log: log, Ledger: attempt, Version: Version(), Force: n.force,
	}, nightly.At{Mark: m, TopicID: hexID(p), Cut: cut})
	if err != nil {
		return nightly.Result{}, err
	}
	return do(ctx, run)
}

// print shows what was done: a table for people, or a JSON line a step.
func (c *nightFlags) print(rt *runtimeEnv, r nightly.Result) error {
	if c.JSON {
		for _, o := range r.Steps {
			if err := printJSON(rt.stdout, o); err != nil {
				return err
			}
		}
	} else if err := printSteps(rt, r); err != nil {
		return err
	}
	if r.Unchanged && c.ExitSame != 0 {
		return exitWith{c.ExitSame}
	}
	return nil
}

func printSteps(rt *runtimeEnv, r nightly.Result) error {
	if len(r.Steps) == 0 {
		return nil
	}
	last := r.Steps[len(r.Steps)-1]
	if r.Unchanged {
		done := "is published"
		if last.Step != nightly.StepPublish {
			done = "has passed " + last.Step
		}
		_, err := fmt.Fprintf(rt.stdout, "nothing to do: %s %s for %s\n", r.Generation, done, r.Label.Format(time.RFC3339))
		return err
	}
	rows := [][]string{{"STEP", "STATUS", "SECONDS"}}
	for _, o := range r.Steps {
		rows = append(rows, []string{o.Step, string(o.Status), fmt.Sprintf("%.2f", float64(o.Millis)/1000)})
	}
	if err := printTable(rt.stdout, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(rt.stdout, "\n%s%s\n", r.Generation, summary(r))
	return err
}

// summary says what is known after the steps that ran: a single step knows less.
func summary(r nightly.Result) string {
	var parts []string
	if r.Counts.Events > 0 {
		parts = append(parts, fmt.Sprintf("%d events of %d users and %d items", r.Counts.Events, r.Counts.Users, r.Counts.Items))
	}
	if len(r.Metrics) > 0 {
		parts = append(parts, fmt.Sprintf("HR@20 %.3f (popularity %.3f), NDCG@20 %.3f",
			r.Metrics[nightly.MetricHR], r.Metrics[nightly.MetricPopularityHR], r.Metrics[nightly.MetricNDCG]))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}
