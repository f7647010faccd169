package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// importer collects the rows of a file by event day.
type importer struct {
	ctx    context.Context //nolint:containedctx // lives for one call
	bucket *bucket.Bucket
	src    Source
	stamps func(string) *event.Stamp
	latest event.Millis // event times after it are refused
	most   int          // rows in memory

	days     map[string]*day
	dayOf    map[int64]*day // by days since 1970
	rows     int64
	skipped  int64
	buffered int
}

// day is one event day: rows in memory and the parts that are written.
type day struct {
	name        string
	rows        *rawparquet.Writer // nil: none
	first, last int64              // of their offsets
	written     []model.ImportObject
}

// read takes all rows of the source; full buffers go to the bucket.
func (im *importer) read() error {
	row := int64(0)
	for e, err := range im.src.Rows {
		row++
		if err == nil {
			err = im.add(row, e)
		}
		var bad *event.Rejection
		switch {
		case errors.As(err, &bad) && im.src.SkipInvalid:
			im.skipped++
		case errors.As(err, &bad):
			return api.Errorf(api.Invalid, "row %d: %w", row, err)
		case err != nil: // not one row is bad but the reading of them
			return fmt.Errorf("row %d: %w", row, err)
		}
		if im.buffered >= im.most {
			if err := im.flush(); err != nil {
				return err
			}
		}
		if row%4096 == 0 && im.ctx.Err() != nil {
			return im.ctx.Err()
		}
	}
	return nil
}

// add takes one row; it returns an *event.Rejection if the row is no valid event.
func (im *importer) add(row int64, e event.Event) error {
	e.ID = im.src.SHA256[:16] + "-" + strconv.FormatInt(row, 10)
	if e.Stamp == nil && im.stamps != nil {
		e.Stamp = im.stamps(e.ItemID)
	}
	if rejection := e.Check(); rejection != nil {
		return rejection
	}
	if e.Time > im.latest {
		return &event.Rejection{Reason: event.ReasonTime, Field: "event_time", Value: e.Time.String(), Accepted: "history lies in the past"}
	}
	raw, err := event.RawEvent(event.Position{TopicID: im.src.SHA256, Offset: row}, e.Time, &e)
	if err != nil {
		return err
	}
	d := im.day(e.Time)
	if d.rows == nil {
		d.rows, d.first = rawparquet.NewWriter(), row
	}
	d.rows.Add(&raw)
	d.last = row
	im.buffered++
	im.rows++
	return nil
}

func (im *importer) day(t event.Millis) *day {
	const millisPerDay = 24 * 60 * 60 * 1000
	number := int64(t) / millisPerDay // event times are positive
	d := im.dayOf[number]
	if d == nil {
		d = &day{name: t.Time().Format(time.DateOnly)}
		im.dayOf[number], im.days[d.name] = d, d
	}
	return d
}

// flush writes the buffered rows of every day as its next part, several days at a time.
func (im *importer) flush() error {
	g, ctx := errgroup.WithContext(im.ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range slices.Sorted(maps.Keys(im.days)) {
		if d := im.days[name]; d.rows != nil {
			g.Go(func() error { return im.writePart(ctx, d) })
		}
	}
	im.buffered = 0
	return g.Wait()
}

func (im *importer) writePart(ctx context.Context, d *day) error {
	span := rawparquet.SpanOf(im.src.SHA256, 0, 0, d.first, d.last+1, d.rows.Rows())
	data, err := d.rows.File(span.Meta())
	if err != nil {
		return fmt.Errorf("part %d of %s: %w", len(d.written), d.name, err)
	}
	sum := model.SHA256Hex(data)
	key := model.ImportPartKey(im.src.SHA256, d.name, len(d.written), sum)
	// One that is there has the same bytes, whoever put it: a crashed import or one that runs now.
	if _, err := im.bucket.PutIfAbsent(ctx, key, data); err != nil && !errors.Is(err, bucket.ErrExists) {
		return err
	}
	d.written = append(d.written, model.ImportObject{
		Key: key, Day: d.name, Rows: span.Rows, Bytes: int64(len(data)), SHA256: sum,
	})
	d.rows = nil // not kept for the next part: there may be thousands of days
	return nil
}

// objects returns everything that was written, by day and part.
func (im *importer) objects() []model.ImportObject {
	var all []model.ImportObject
	for _, d := range im.days {
		all = append(all, d.written...)
	}
	slices.SortFunc(all, func(a, b model.ImportObject) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Key, b.Key))
	})
	return all
}
