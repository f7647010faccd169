package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

type generationsCmd struct {
	List     listGenerationsCmd `cmd:"" help:"List the generations."`
	Show     showGenerationCmd  `cmd:"" help:"Show a generation's manifest, the current one's by default."`
	Promote  promoteCmd         `cmd:"" help:"Make a retained generation current."`
	Rollback rollbackCmd        `cmd:"" help:"Go back to the retained generation before the current."`
}

// bucketFlags are the flags of commands that need nothing but the bucket.
type bucketFlags struct {
	Data   string `type:"path" default:"anabranch-data" help:"Folder of the embedded bucket."`
	Bucket string `placeholder:"URL" help:"s3://… or file:///folder, instead of the folder in --data."`
}

func (f bucketFlags) open(ctx context.Context) (*bucket.Bucket, error) {
	s := stores{Data: f.Data, Bucket: f.Bucket}
	return s.openExistingBucket(ctx)
}

func publisher(b *bucket.Bucket) publish.Publisher {
	return publish.Publisher{Bucket: b, Nonce: func() string { return ulid.Make().String() }}
}

type listGenerationsCmd struct {
	bucketFlags
	JSON bool `help:"Print one JSON object a generation."`
}

// Run lists the generations, oldest cut first.
func (c *listGenerationsCmd) Run(rt *runtimeEnv) error {
	b, err := c.open(rt.ctx)
	if err != nil {
		return err
	}
	entries, err := publish.List(rt.ctx, b)
	if err != nil {
		return err
	}
	rows := [][]string{{"GENERATION", "CUT", "LABEL", "EVENTS", "USERS", "ITEMS", "HR@20", "STATE"}}
	for _, e := range entries {
		m, state := e.Manifest, ""
		switch {
		case e.Current:
			state = "current"
		case e.Retained:
			state = "retained"
		}
		if c.JSON {
			line := map[string]any{
				"id": m.ID, "cut": m.Inputs.CutN, "label": m.Inputs.Label, "counts": m.Counts, "metrics": m.Metrics,
				"current": e.Current, "retained": e.Retained,
			}
			if err := printJSON(rt.stdout, line); err != nil {
				return err
			}
		}
		rows = append(rows, []string{
			m.ID, fmt.Sprint(m.Inputs.CutN), m.Inputs.Label.Format("2006-01-02T15:04:05Z07:00"), fmt.Sprint(m.Counts.Events),
			fmt.Sprint(m.Counts.Users), fmt.Sprint(m.Counts.Items), fmt.Sprintf("%.3f", m.Metrics["hr20"]), state,
		})
	}
	if c.JSON {
		return nil
	}
	return printTable(rt.stdout, rows)
}

type showGenerationCmd struct {
	bucketFlags
	ID   string `arg:"" optional:"" help:"The generation; the current one when absent."`
	JSON bool   `help:"Print one line of JSON."`
}

// Run prints a manifest.
func (c *showGenerationCmd) Run(rt *runtimeEnv) error {
	b, err := c.open(rt.ctx)
	if err != nil {
		return err
	}
	m, err := publish.Show(rt.ctx, b, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(rt.stdout, m)
	}
	return printIndented(rt.stdout, m)
}

type promoteCmd struct {
	bucketFlags
	ID     string `arg:"" help:"A retained generation."`
	DryRun bool   `help:"Only say what would happen."`
	JSON   bool   `help:"Print one JSON object."`
}

// Run makes a retained generation current.
func (c *promoteCmd) Run(rt *runtimeEnv) error {
	return movePointer(rt, c.bucketFlags, c.ID, moveFlags{c.DryRun, c.JSON}, func(p publish.Publisher) (model.Pointer, error) {
		return p.Promote(rt.ctx, c.ID)
	})
}

type rollbackCmd struct {
	bucketFlags
	To     string `placeholder:"ID" help:"A retained generation; the one before the current when absent."`
	DryRun bool   `help:"Only say what would happen."`
	JSON   bool   `help:"Print one JSON object."`
}

// Run moves back to an older retained generation.
func (c *rollbackCmd) Run(rt *runtimeEnv) error {
	return movePointer(rt, c.bucketFlags, c.To, moveFlags{c.DryRun, c.JSON}, func(p publish.Publisher) (model.Pointer, error) {
		return p.Rollback(rt.ctx, c.To)
	})
}

// moveFlags are what promote and rollback share.
type moveFlags struct{ dryRun, json bool }

func movePointer(rt *runtimeEnv, f bucketFlags, to string, flags moveFlags, move func(publish.Publisher) (model.Pointer, error)) error {
	b, err := f.open(rt.ctx)
	if err != nil {
		return err
	}
	var before, after model.Pointer
	if _, err := b.GetJSON(rt.ctx, model.PointerKey, &before); errors.Is(err, bucket.ErrNotExist) {
		return api.Errorf(api.NotFound, "no generation is published yet: run `anabranch nightly`")
	} else if err != nil {
		return err
	}
	if flags.dryRun {
		after, err = before.MoveTo(to, "dry-run")
	} else {
		after, err = move(publisher(b))
	}
	switch {
	case err != nil:
		return err
	case flags.json:
		return printJSON(rt.stdout, map[string]any{"current": after.Current, "before": before.Current, "dry_run": flags.dryRun})
	case flags.dryRun:
		_, err = fmt.Fprintf(rt.stdout, "would make %s current (now %s)\n", after.Current, before.Current)
	default:
		_, err = fmt.Fprintf(rt.stdout, "%s is current (was %s)\n", after.Current, before.Current)
	}
	return err
}
