package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/anabranch/anabranch/infra/kafka"
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
	if c.DryRun {
		return c.validate(rt)
	}
	p, err := rt.openLog(&c.stores, c.Partitions, true)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	stamps, err := rt.importRecords(p, c.Items, c.Users)
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		began := time.Now()
		res, err := rt.importFile(p, f, stamps, c.SkipInvalid)
		if err != nil {
			return err
		}
		if err := c.print(rt, f, res, time.Since(began)); err != nil {
			return err
		}
	}
	return nil
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
		rows, bad, err := countRows(f)
		if err != nil {
			return err
		}
		if bad != nil && !c.SkipInvalid {
			return api.Errorf(api.Invalid, "import: %w", bad)
		}
		if _, err := fmt.Fprintf(rt.stdout, "%s: would import %d rows\n", f, rows); err != nil {
			return err
		}
	}
	return nil
}

// countRows returns how many rows of a file are valid, and the first that is not.
func countRows(path string) (rows int64, firstBad, err error) {
	r, err := eventfile.OpenEvents(path)
	if err != nil {
		return 0, nil, fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, rowErr := range r.All() {
		var bad *eventfile.RowError
		switch {
		case rowErr == nil:
			rows++
		case !errors.As(rowErr, &bad):
			return rows, firstBad, fmt.Errorf("import: %w", rowErr)
		case firstBad == nil:
			firstBad = rowErr
		}
	}
	return rows, firstBad, nil
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
		Rows: withProgress(r, func() { bar.show("import", r.BytesRead(), size) }),
	}, stamps, rt.now())
}

// withProgress yields the reader's events and calls show every few thousand rows.
func withProgress(r *eventfile.Reader[event.Event], show func()) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		n := 0
		for row, err := range r.All() {
			if n++; n%8192 == 0 {
				show()
			}
			if !yield(row.Record, err) {
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

// importRecords writes the records of the files that the topics do not hold yet, and returns the
// stamps of the whole catalog.
func (rt *runtimeEnv) importRecords(p *parts, itemsFile, usersFile string) (func(string) *event.Stamp, error) {
	var items []event.Item
	var users []event.User
	var err error
	if itemsFile != "" {
		if items, err = readAll(eventfile.OpenItems(itemsFile)); err != nil {
			return nil, fmt.Errorf("import items: %w", err)
		}
	}
	if usersFile != "" {
		if users, err = readAll(eventfile.OpenUsers(usersFile)); err != nil {
			return nil, fmt.Errorf("import users: %w", err)
		}
	}
	return rt.publishRecords(rt.ctx, p, items, users)
}

// publishRecords writes the records that the topics do not hold yet, and returns the stamps of the
// whole catalog.
func (rt *runtimeEnv) publishRecords(ctx context.Context, p *parts, items []event.Item, users []event.User) (func(string) *event.Stamp, error) {
	known, err := rt.snapshot(ctx, p.servers, kafka.ItemsTopic)
	if err != nil {
		return nil, err
	}
	catalog, err := decodeItems(known)
	if err != nil {
		return nil, err
	}
	var changed []event.Item
	for _, i := range items {
		if old, ok := catalog[i.ID]; !ok || !sameEncoding(&old, &i) {
			changed = append(changed, i)
			catalog[i.ID] = i
		}
	}
	if err := produceItems(ctx, p.client, changed); err != nil {
		return nil, err
	}
	if err := produceUsers(ctx, p.client, users); err != nil {
		return nil, err
	}
	stamps := make(map[string]*event.Stamp, len(catalog))
	for id, i := range catalog {
		stamps[id] = i.Stamp()
	}
	return func(id string) *event.Stamp { return stamps[id] }, nil
}

func decodeItems(lines []byte) (map[string]event.Item, error) {
	out := map[string]event.Item{}
	for line := range bytes.Lines(lines) {
		i, rej := event.DecodeItem(bytes.TrimSpace(line))
		if rej != nil {
			return nil, fmt.Errorf("the items topic holds a record that is no item: %w", rej)
		}
		out[i.ID] = i
	}
	return out, nil
}

func sameEncoding(a, b *event.Item) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
