package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/mark"
)

// nightFlags are what the night and its single steps share.
type nightFlags struct {
	stores
	definitions
	Date       string        `required:"" placeholder:"DATE" help:"The date to close, such as 2026-01-31, or an instant in RFC 3339."`
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
	return c.run(rt, func(ctx context.Context, r *nightly.Run) (nightly.Result, error) { return r.Do(ctx) })
}

type materializeCmd struct{ nightFlags }

// Run closes the date and computes views and aggregates.
func (c *materializeCmd) Run(rt *runtimeEnv) error { return c.step(rt, (*nightly.Run).Materialize) }

type trainCmd struct{ nightFlags }

// Run trains the vectors of a materialized date.
func (c *trainCmd) Run(rt *runtimeEnv) error { return c.step(rt, (*nightly.Run).Train) }

type evaluateCmd struct{ nightFlags }

// Run measures the trained vectors of a date.
func (c *evaluateCmd) Run(rt *runtimeEnv) error { return c.step(rt, (*nightly.Run).Evaluate) }

type publishCmd struct{ nightFlags }

// Run publishes the evaluated generation of a date.
func (c *publishCmd) Run(rt *runtimeEnv) error { return c.step(rt, (*nightly.Run).Publish) }

func (c *nightFlags) step(rt *runtimeEnv, one func(*nightly.Run, context.Context) (nightly.Outcome, error)) error {
	return c.run(rt, func(ctx context.Context, r *nightly.Run) (nightly.Result, error) {
		o, err := one(r, ctx)
		if err != nil {
			return nightly.Result{}, err
		}
		return nightly.Result{
			Label: o.Inputs.Label, Generation: r.ID(), Unchanged: o.Status == nightly.Skipped,
			Counts: o.Counts, Metrics: o.Metrics, Steps: []nightly.Outcome{o},
		}, nil
	})
}

func (c *nightFlags) run(rt *runtimeEnv, do func(context.Context, *nightly.Run) (nightly.Result, error)) (err error) {
	label, err := model.ParseLabel(c.Date, rt.now())
	if err != nil {
		return err
	}
	features, err := c.catalogue()
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
	result, err := rt.night(rt.ctx, p, night{label: label, force: c.Force, wait: c.Wait, archive: p.standalone, features: features}, do)
	return errors.Join(c.print(rt, result), err)
}

// plan says which mark a run would write.
func (c *nightFlags) plan(rt *runtimeEnv, label time.Time) error {
	b, err := c.openExistingBucket(rt.ctx)
	if err != nil {
		return err
	}
	marks, err := mark.List(rt.ctx, b)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(marks, func(m model.Mark) bool { return m.Label.Equal(label) })
	switch {
	case i >= 0:
		_, err = fmt.Fprintf(rt.stdout, "would run the steps that are not done for mark %d (%s)\n", marks[i].N, label.Format(time.RFC3339))
	case len(marks) > 0 && !label.After(marks[len(marks)-1].Label):
		err = api.Errorf(api.Invalid, "labels only rise: the last one is %s", marks[len(marks)-1].Label.Format(time.RFC3339))
	default:
		_, err = fmt.Fprintf(rt.stdout, "would write mark %d with label %s, wait for the archive, then materialize, train, evaluate and publish\n",
			len(marks)+1, label.Format(time.RFC3339))
	}
	return err
}

// night says what one run of the night is about.
type night struct {
	label    time.Time
	force    bool
	wait     time.Duration
	archive  bool // nobody else archives: do it here while waiting
	quiet    bool // no progress on the terminal
	features feature.Catalogue
}

// night closes an epoch and runs the steps that do asks for.
func (rt *runtimeEnv) night(ctx context.Context, p *parts, n night, do func(context.Context, *nightly.Run) (nightly.Result, error)) (nightly.Result, error) {
	if err := refuseNothing(ctx, p); err != nil {
		return nightly.Result{}, err
	}
	m, cut, err := rt.closeEpoch(ctx, p, n)
	if err != nil {
		return nightly.Result{}, err
	}
	bar := newProgress(rt.stderr, n.quiet)
	defer bar.done()
	ready := publisher(p.bucket)
	ready.Ready = rt.liveReady(p)
	run, err := nightly.Open(ctx, nightly.Config{
		Bucket: p.bucket, Warehouse: p.warehouse, Catalogue: n.features,
		Train: model.DefaultTrainParams(), Weights: model.DefaultWeights(), Snapshot: rt.snapshots(p.servers),
		Publisher: ready, Clock: rt.now, Progress: bar.show, Log: rt.log, Version: Version(), Force: n.force,
	}, nightly.At{Mark: m, TopicID: hexID(p), Cut: cut})
	if err != nil {
		return nightly.Result{}, err
	}
	return do(ctx, run)
}

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
func (rt *runtimeEnv) closeEpoch(ctx context.Context, p *parts, n night) (m model.Mark, cut model.Cut, err error) {
	closer := mark.Closer{
		Bucket: p.bucket, Seeds: p.seeds, Topics: p.topics, Client: p.clientOptions(), Wait: n.wait, Now: rt.now, Logger: rt.log,
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
