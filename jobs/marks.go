package jobs

import (
	"fmt"
	"strings"
	"time"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/mark"
)

type marksCmd struct {
	List  listMarksCmd `cmd:"" help:"List the marks and where they lie in the log."`
	Write writeMarkCmd `cmd:"" help:"Write a mark, or complete one that is written by halves."`
}

type listMarksCmd struct {
	stores
	JSON bool `help:"Print one JSON object a mark."`
}

// closer returns what writes marks and finds them.
func (rt *runtimeEnv) closer(p *parts) mark.Closer {
	return mark.Closer{Bucket: p.bucket, Seeds: p.seeds, Topics: p.topics, Client: p.clientOptions(), Now: rt.now, Logger: rt.log}
}

// Run lists the marks in order.
func (c *listMarksCmd) Run(rt *runtimeEnv) (err error) {
	p, err := rt.openLog(&c.stores, 0, false)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	placed, err := rt.closer(p).Inspect(rt.ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"MARK", "LABEL", "START", "STATE", "OFFSETS"}}
	for _, m := range placed {
		if c.JSON {
			line := map[string]any{
				"n": m.N, "label": m.Label, "start": m.Start, "state": markState(m), "offsets": m.At, "missing": m.Missing,
			}
			if err := printJSON(rt.stdout, line); err != nil {
				return err
			}
			continue
		}
		state := markState(m)
		if len(m.Missing) > 0 {
			state += fmt.Sprintf(", not in %v", m.Missing)
		}
		rows = append(rows, []string{
			fmt.Sprint(m.N), m.Label.Format(time.RFC3339), m.Start.Format(time.RFC3339), state, offsetsText(m, p.topics.Partitions),
		})
	}
	if c.JSON {
		return nil
	}
	return printTable(rt.stdout, rows)
}

// markState says in a word how far a mark has come.
func markState(m mark.Placed) string {
	switch {
	case m.Archived:
		return "archived"
	case len(m.Missing) > 0:
		return "half-written"
	}
	return "written"
}

// offsetsText is where a mark lies, in the order of the partitions.
func offsetsText(m mark.Placed, partitions int32) string {
	var all []string
	for p := range partitions {
		if offset, there := m.At[p]; there {
			all = append(all, fmt.Sprintf("%d:%d", p, offset))
		}
	}
	return strings.Join(all, " ")
}

type writeMarkCmd struct {
	stores
	Date   string `required:"" aliases:"label" placeholder:"DATE" help:"What the mark closes: a date such as 2026-01-31, which means its end, or an instant in RFC 3339."`
	DryRun bool   `help:"Only say what would be written."`
	JSON   bool   `help:"Print one JSON object."`
}

// Run writes the mark into every partition, after those before it. It does not wait for the archive:
// nightly does.
func (c *writeMarkCmd) Run(rt *runtimeEnv) (err error) {
	label, err := model.ParseLabel(c.Date, rt.now())
	if err != nil {
		return err
	}
	p, err := rt.openLog(&c.stores, 0, false)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	if err := refuseNothing(rt.ctx, p); err != nil {
		return err
	}
	if c.DryRun {
		return c.plan(rt, p, label)
	}
	m, err := rt.closer(p).Write(rt.ctx, label)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(rt.stdout, map[string]any{"n": m.N, "label": m.Label})
	}
	_, err = fmt.Fprintf(rt.stdout, "mark %d (%s) is in all %d partitions\n", m.N, m.Label.Format(time.RFC3339), p.topics.Partitions)
	return err
}

// plan says what a run would write.
func (c *writeMarkCmd) plan(rt *runtimeEnv, p *parts, label time.Time) error {
	placed, err := rt.closer(p).Inspect(rt.ctx)
	if err != nil {
		return err
	}
	last, known := int64(0), false
	for _, m := range placed {
		if last++; len(m.Missing) > 0 {
			_, err = fmt.Fprintf(rt.stdout, "would complete mark %d (%s) in the partitions %v\n", m.N, m.Label.Format(time.RFC3339), m.Missing)
		}
		if known = m.Label.Equal(label); known || err != nil {
			break
		}
	}
	switch {
	case err != nil:
		return err
	case known:
		_, err = fmt.Fprintf(rt.stdout, "mark %d has the label %s already\n", last, label.Format(time.RFC3339))
	case last > 0 && !label.After(placed[last-1].Label):
		return api.Errorf(api.Invalid, "labels only rise: the last one is %s", placed[last-1].Label.Format(time.RFC3339))
	default:
		_, err = fmt.Fprintf(rt.stdout, "would write mark %d with label %s\n", last+1, label.Format(time.RFC3339))
	}
	return err
}
