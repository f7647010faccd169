package jobs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/anabranch/anabranch/jobs/eventfile"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/archive"
)

type importCmd struct {
	stores
	Files       []string `arg:"" name:"file" help:"Events: CSV, JSON lines (also .gz) or MovieLens u.data."`
	Items       string   `placeholder:"FILE" help:"Catalog records: CSV, JSON lines or MovieLens u.item."`
	Users       string   `placeholder:"FILE" help:"Profile records: CSV, JSON lines or MovieLens u.user."`
	SkipInvalid bool     `help:"Leave out invalid rows and count them, instead of refusing the file."`
	DryRun      bool     `help:"Read and validate only."`
	JSON        bool     `help:"Print one JSON object a file."`
	Partitions  int32    `default:"4" help:"Partitions of a new events topic; fixed for good."`
}

// Run puts files of history into the archive, catalog and profiles into their topics.
func (c *importCmd) Run(rt *runtimeEnv) (err error) {
	for _, f := range c.Files {
		if _, err := os.Stat(f); err != nil {
			return api.Errorf(api.Invalid, "import: %w", err)
		}
	}
	r, err := readRecords(c.Items, c.Users)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.validate(rt)
	}
	p, err := rt.openLog(&c.stores, c.Partitions, true)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	if r, err = rt.merge(rt.ctx, p, r); err != nil {
		return err
	}
	for _, f := range c.Files {
		began := time.Now()
		res, err := rt.importFile(p, f, r.stamp, c.SkipInvalid)
		if err != nil {
			return err
		}
		if err := c.print(rt, f, res, time.Since(began)); err != nil {
			return err
		}
	}
	return r.publish(rt.ctx, p) // after the files, so that a refused one leaves no trace
}

func (c *importCmd) print(rt *runtimeEnv, file string, r archive.Result, took time.Duration) error {
	if c.JSON {
		return printJSON(rt.stdout, map[string]any{
			"file": file, "rows": r.Rows, "skipped": r.Skipped, "days": r.Days, "already_done": r.AlreadyDone, "seconds": took.Seconds(),
		})
	}
	if r.AlreadyDone {
		_, err := fmt.Fprintf(rt.stdout, "%s: nothing to do, its %d rows were imported before\n", file, r.Rows)
		return err
	}
	_, err := fmt.Fprintf(rt.stdout, "%s: %d rows of %d days imported, %d skipped, in %.1f s\n", file, r.Rows, r.Days, r.Skipped, took.Seconds())
	return err
}

// validate reads everything and writes nothing.
func (c *importCmd) validate(rt *runtimeEnv) error {
	for _, f := range c.Files {
		rows, skipped, bad, err := countRows(f, rt.now())
		if err != nil {
			return err
		}
		if bad != nil && !c.SkipInvalid {
			return api.Errorf(api.Invalid, "import: %w", bad)
		}
		if c.JSON {
			err = printJSON(rt.stdout, map[string]any{"file": f, "rows": rows, "skipped": skipped, "dry_run": true})
		} else {
			_, err = fmt.Fprintf(rt.stdout, "%s: would import %d rows and skip %d\n", f, rows, skipped)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countRows returns how many rows of a file are valid and how many are not, and the first of those.
func countRows(path string, now time.Time) (rows, invalid int64, firstBad, err error) {
	r, err := eventfile.OpenEvents(path)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, rowErr := range pastRows(path, r, now) {
		var bad *eventfile.RowError
		switch {
		case rowErr == nil:
			rows++
		case !errors.As(rowErr, &bad):
			return rows, invalid, firstBad, fmt.Errorf("import: %w", rowErr)
		default:
			invalid++
			firstBad = cmp.Or(firstBad, rowErr)
		}
	}
	return rows, invalid, firstBad, nil
}

// pastRows yields the reader's events; one that lies in the future is a bad row.
func pastRows(file string, r *eventfile.Reader[event.Event], now time.Time) iter.Seq2[event.Event, error] {
	latest := event.MillisOf(now) + event.MaxClockSkew
	return func(yield func(event.Event, error) bool) {
		for row, err := range r.All() {
			if err == nil && row.Record.Time > latest {
				err = &eventfile.RowError{File: file, Line: row.Line, Rejection: &event.Rejection{
					Reason: event.ReasonTime, Field: "event_time", Value: row.Record.Time.String(), Accepted: "history lies in the past",
				}}
			}
			if !yield(row.Record, err) {
				return
			}
		}
	}
}

// importFile puts one file of events into the archive.
func (rt *runtimeEnv) importFile(p *parts, path string, stamps func(string) *event.Stamp, skipInvalid bool) (res archive.Result, err error) {
	sum, err := fileSHA256(path)
	if err != nil {
		return res, fmt.Errorf("import %s: %w", path, err)
	}
	r, err := eventfile.OpenEvents(path)
	if err != nil {
		return res, fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	size := int64(0)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	bar := newProgress(rt.stderr, false)
	defer bar.done()
	return archive.Import(rt.ctx, p.bucket, archive.Source{
		SHA256: sum, Format: string(r.Format()), SkipInvalid: skipInvalid,
		Rows: withProgress(pastRows(path, r, rt.now()), func() { bar.show("import", r.BytesRead(), size) }),
	}, stamps, rt.now())
}

// withProgress yields the events and calls show every few thousand rows.
func withProgress(rows iter.Seq2[event.Event, error], show func()) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		n := 0
		for e, err := range rows {
			if n++; n%8192 == 0 {
				show()
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func fileSHA256(path string) (_ string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", api.Errorf(api.Invalid, "%w", err)
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
