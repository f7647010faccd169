package jobs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/batch/ledger"
	"github.com/anabranch/anabranch/batch/nightly"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

type runsCmd struct {
	List listRunsCmd `cmd:"" help:"List what was run for each label, and how it stands."`
	Show showRunsCmd `cmd:"" help:"Show the steps and attempts of a label."`
	Logs runLogsCmd  `cmd:"" help:"Print what an attempt logged, the last one by default."`
}

type listRunsCmd struct {
	bucketFlags
	JSON bool `help:"Print one JSON object a label."`
}

// Run lists the labels, the oldest first.
func (c *listRunsCmd) Run(rt *runtimeEnv) error {
	b, err := c.open(rt.ctx)
	if err != nil {
		return err
	}
	labels, err := ledger.List(rt.ctx, b)
	if err != nil {
		return err
	}
	rows := [][]string{{"LABEL", "STATE", "COMMAND", "STEP", "ATTEMPTS", "STARTED", "SECONDS"}}
	for _, l := range labels {
		if len(l.Attempts) == 0 { // it found nothing to do, or is of a version that kept none
			if c.JSON {
				if err := printJSON(rt.stdout, map[string]any{"label": l.Label, "attempts": 0, "steps": l.Steps}); err != nil {
					return err
				}
			}
			rows = append(rows, []string{l.Label.Format(time.RFC3339), "-", "-", strings.Join(l.Steps, " "), "0", "-", "-"})
			continue
		}
		last := l.Attempts[len(l.Attempts)-1]
		state := l.State(last, rt.now())
		if c.JSON {
			line := map[string]any{"label": l.Label, "state": state, "attempts": len(l.Attempts), "last": last, "steps": l.Steps}
			if err := printJSON(rt.stdout, line); err != nil {
				return err
			}
		}
		rows = append(rows, []string{
			l.Label.Format(time.RFC3339), stateText(state, last), last.Command, lastStep(last), fmt.Sprint(len(l.Attempts)),
			last.Started.Format(time.RFC3339), secondsOf(last, state, rt.now()),
		})
	}
	if c.JSON {
		return nil
	}
	return printTable(rt.stdout, rows)
}

// stateText names the class of an error beside the state.
func stateText(s ledger.State, a ledger.Attempt) string {
	if s == ledger.StateFailed {
		return fmt.Sprintf("%s (%s)", s, a.Code)
	}
	return string(s)
}

func lastStep(a ledger.Attempt) string {
	if len(a.Steps) == 0 {
		return "-"
	}
	return a.Steps[len(a.Steps)-1].Step
}

// secondsOf is how long an attempt took, or takes.
func secondsOf(a ledger.Attempt, s ledger.State, now time.Time) string {
	switch {
	case !a.Ended.IsZero():
		now = a.Ended
	case s == ledger.StateInterrupted: // nobody knows when
		return "-"
	}
	return fmt.Sprintf("%.2f", now.Sub(a.Started).Seconds())
}

// runFlags name a label.
type runFlags struct {
	bucketFlags
	Date string `arg:"" help:"The label: a date such as 2026-01-31, which means its end, or an instant in RFC 3339."`
}

// find returns the label and the bucket that knows of it.
func (c *runFlags) find(rt *runtimeEnv) (b *bucket.Bucket, label time.Time, err error) {
	if label, err = model.ParseLabel(c.Date, rt.now()); err != nil {
		return nil, label, err
	}
	b, err = c.open(rt.ctx)
	return b, label, err
}

type showRunsCmd struct {
	runFlags
	JSON bool `help:"Print one line of JSON."`
}

// Run prints the steps, what they left, and the attempts.
func (c *showRunsCmd) Run(rt *runtimeEnv) error {
	b, label, err := c.find(rt)
	if err != nil {
		return err
	}
	l, err := ledger.Read(rt.ctx, b, label)
	if err != nil {
		return err
	}
	entries, err := nightly.Entries(rt.ctx, b, label)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(rt.stdout, map[string]any{"label": l.Label, "holder": l.Holder, "attempts": l.Attempts, "steps": entries})
	}
	if err := printEntries(rt, entries); err != nil {
		return err
	}
	return printAttempts(rt, l)
}

// printEntries shows what the steps have left.
func printEntries(rt *runtimeEnv, entries []nightly.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := [][]string{{"STEP", "GENERATION", "SECONDS", "EVENTS", "FILES", "BYTES", "PARTITIONS"}}
	for _, e := range entries {
		var bytes int64
		for _, f := range e.Outputs {
			bytes += f.Bytes
		}
		rows = append(rows, []string{
			e.Step, e.Generation, fmt.Sprintf("%.2f", float64(e.Millis)/1000), fmt.Sprint(e.Counts.Events),
			fmt.Sprint(len(e.Outputs)), fmt.Sprint(bytes), fmt.Sprint(len(e.Partitions)),
		})
	}
	if err := printTable(rt.stdout, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(rt.stdout)
	return err
}

// printAttempts shows the attempts, and why the last one failed.
func printAttempts(rt *runtimeEnv, l ledger.Label) error {
	rows := [][]string{{"ATTEMPT", "COMMAND", "STATE", "STARTED", "SECONDS", "STEPS"}}
	for _, a := range l.Attempts {
		state := l.State(a, rt.now())
		rows = append(rows, []string{
			a.ID, a.Command, stateText(state, a), a.Started.Format(time.RFC3339), secondsOf(a, state, rt.now()), stepsText(a),
		})
	}
	if err := printTable(rt.stdout, rows); err != nil {
		return err
	}
	if last := l.Attempts[max(0, len(l.Attempts)-1):]; len(last) > 0 && last[0].Error != "" {
		_, err := fmt.Fprintf(rt.stdout, "\n%s\n", last[0].Error)
		return err
	}
	return nil
}

// stepsText is what an attempt did, in its order.
func stepsText(a ledger.Attempt) string {
	var all []string
	for _, s := range a.Steps {
		all = append(all, s.Step+" "+s.Status)
	}
	return strings.Join(all, ", ")
}

type runLogsCmd struct {
	runFlags
	Attempt string `placeholder:"ID" help:"The attempt; the last one when absent."`
}

// Run prints the log as it is: a JSON object a line.
func (c *runLogsCmd) Run(rt *runtimeEnv) error {
	b, label, err := c.find(rt)
	if err != nil {
		return err
	}
	l, err := ledger.Read(rt.ctx, b, label)
	if err != nil {
		return err
	}
	i := len(l.Attempts) - 1
	for i > 0 && len(l.Attempts[i].Steps) == 0 { // it has not noted anything yet
		i--
	}
	if c.Attempt != "" {
		i = slices.IndexFunc(l.Attempts, func(a ledger.Attempt) bool { return a.ID == c.Attempt })
	}
	if i < 0 {
		return api.Errorf(api.NotFound, "there is no such attempt of %s: `anabranch runs show %s` lists them", label.Format(time.RFC3339), c.Date)
	}
	text, err := ledger.ReadLog(rt.ctx, b, label, l.Attempts[i].ID)
	if err != nil {
		return err
	}
	if _, err = rt.stdout.Write(text); err == nil && l.Attempts[i].Cut {
		_, err = fmt.Fprintln(rt.stderr, "the beginning of this log was longer than is kept")
	}
	return err
}
