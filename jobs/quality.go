package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/anabranch/anabranch/batch/quality"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
)

type qualityCmd struct {
	Check checkGatesCmd  `cmd:"" help:"Check a file of gates: the first error with its line."`
	Show  showQualityCmd `cmd:"" help:"Show what the gates said of a night, and the rows that they name."`
}

// gatesOf reads a file of gates; without one there are the default ones.
func gatesOf(path string) (quality.Gates, error) {
	if path == "" {
		return quality.Default(), nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return quality.Gates{}, api.Errorf(api.Invalid, "--gates %s: there is no such file", path)
	}
	if err != nil {
		return quality.Gates{}, fmt.Errorf("read gates: %w", err)
	}
	g, err := quality.Parse(text)
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// demands are the flags of what a night computes and what has to hold of it.
type demands struct {
	definitions
	Gates string `type:"path" placeholder:"FILE" help:"What is demanded of input and output (YAML); by default a few things are warned about."`
}

// read returns the definitions and the gates.
func (d *demands) read() (features feature.Catalogue, gates quality.Gates, err error) {
	if features, err = d.catalogue(); err == nil {
		gates, err = gatesOf(d.Gates)
	}
	return features, gates, err
}

type checkGatesCmd struct {
	File string `arg:"" type:"path" help:"The file."`
}

// Run says whether the file can be used.
func (c *checkGatesCmd) Run(rt *runtimeEnv) error {
	g, err := gatesOf(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.stdout, "ok: %d gates on the input, %d on the output\n", len(g.Input), len(g.Output))
	return err
}

type showQualityCmd struct {
	runFlags
	HTML string `type:"path" placeholder:"FILE" help:"Write the page for people there."`
	JSON bool   `help:"Print one JSON object a stage."`
}

// Run prints the verdicts.
func (c *showQualityCmd) Run(rt *runtimeEnv) error {
	b, label, err := c.find(rt)
	if err != nil {
		return err
	}
	shown := false
	for _, stage := range []quality.Stage{quality.Input, quality.Output} {
		r, err := quality.Read(rt.ctx, b, label, stage)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		if err := c.show(rt, r, shown); err != nil {
			return err
		}
		shown = true
	}
	switch {
	case !shown:
		return api.Errorf(api.NotFound, "no gate was asked for %s: `anabranch runs list` shows what was run", label.Format(time.RFC3339))
	case c.HTML != "":
		return c.write(rt, b, label)
	}
	return nil
}

func (c *showQualityCmd) show(rt *runtimeEnv, r *quality.Report, second bool) error {
	if c.JSON {
		return printJSON(rt.stdout, r)
	}
	if second {
		if _, err := fmt.Fprintln(rt.stdout); err != nil {
			return err
		}
	}
	rows := [][]string{{"STAGE", "GATE", "RESULT", "FOUND"}}
	for _, v := range r.Verdicts {
		result := "holds"
		if !v.Holds {
			result = string(v.Action) + "s"
		}
		rows = append(rows, []string{string(v.Stage), v.Gate, result, v.Says})
		for _, p := range v.Examples {
			rows = append(rows, []string{"", "", "", fmt.Sprintf("%s offset %d", p.Object, p.Offset)})
		}
	}
	return printTable(rt.stdout, rows)
}

// write copies the page.
func (c *showQualityCmd) write(rt *runtimeEnv, b *bucket.Bucket, label time.Time) error {
	page, _, err := b.Get(rt.ctx, quality.PageKey(label))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.HTML, page, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
