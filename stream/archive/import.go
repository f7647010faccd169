package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// Source is a file of history.
type Source struct {
	SHA256 string // of the file, in hex: the identity of the import
	Format string // such as "jsonl"; only noted

	// Rows yields the events in the order of the file; rows are counted from 1. It is read once. Event
	// ids are replaced, see Import. Instead of an event it may yield an error: an *event.Rejection in
	// its chain means a bad row, anything else that the file cannot be read and is not imported.
	Rows iter.Seq2[event.Event, error]

	// SkipInvalid leaves bad rows out and counts them, instead of refusing the file.
	SkipInvalid bool

	buffer int // rows in memory; 0 is maxBuffered
}

// Result says what an import did.
type Result struct {
	Rows        int64 // imported
	Skipped     int64 // invalid, where SkipInvalid allows that
	Days        int   // different event days
	AlreadyDone bool  // the file had been imported before: nothing was changed
}

// maxBuffered is how many rows are held in memory before they are written as parts of their days.
const maxBuffered = 1 << 20

// Import writes a file of history into the archive, one epoch for each event day (UTC), and makes it
// part of history by one last object. Importing a file again changes nothing; after a crash in the
// middle it starts over. A row's position is (SHA256, partition 0, row), its event id
// "<first 16 digits of SHA256>-<row>", its log time the event time.
//
// Rows that are no valid events, or that lie in the future, are refused (api.Invalid) with the row,
// the field, its value and what is accepted; then nothing is imported. So is every import once mark 1
// exists, because imported days come before all live epochs. stamps gives the catalog's attributes of
// an item for events that bring none; it may be nil.
func Import(ctx context.Context, b *bucket.Bucket, src Source, stamps func(itemID string) *event.Stamp, now time.Time) (Result, error) {
	res, err := importFile(ctx, b, src, stamps, now)
	if err != nil {
		return Result{}, fmt.Errorf("import: %w", err)
	}
	return res, nil
}

func importFile(ctx context.Context, b *bucket.Bucket, src Source, stamps func(string) *event.Stamp, now time.Time) (Result, error) {
	if len(src.SHA256) != 64 {
		return Result{}, fmt.Errorf("the checksum %q is not 64 hex digits", src.SHA256)
	}
	if done, err := imported(ctx, b, src.SHA256); done != nil || err != nil {
		return resultOf(done), err
	}
	if err := refuseAfterMark(ctx, b); err != nil {
		return Result{}, err
	}
	im := &importer{
		ctx: ctx, bucket: b, src: src, stamps: stamps, most: src.buffer,
		latest: event.MillisOf(now) + event.MaxClockSkew,
		days:   map[string]*day{}, dayOf: map[int64]*day{},
	}
	if im.most == 0 {
		im.most = maxBuffered
	}
	if err := im.read(); err != nil {
		return Result{}, err
	}
	if im.rows == 0 {
		return Result{}, api.Errorf(api.Invalid, "the file has no rows to import (%d were skipped)", im.skipped)
	}
	if err := im.flush(); err != nil {
		return Result{}, err
	}
	// A mark that came meanwhile closes history; what was written stays without effect.
	if err := refuseAfterMark(ctx, b); err != nil {
		return Result{}, err
	}
	return im.commit()
}

// imported returns the commit object of a file that was imported before.
func imported(ctx context.Context, b *bucket.Bucket, sha string) (*model.Import, error) {
	var done model.Import
	_, err := b.GetJSON(ctx, model.ImportKey(sha), &done)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &done, nil
}

func resultOf(done *model.Import) Result {
	if done == nil {
		return Result{}
	}
	days := map[string]bool{}
	for _, o := range done.Objects {
		days[o.Day] = true
	}
	return Result{Rows: done.Rows, Days: len(days), AlreadyDone: true}
}

func refuseAfterMark(ctx context.Context, b *bucket.Bucket) error {
	_, err := b.Head(ctx, model.MarkKey(1))
	if errors.Is(err, bucket.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return api.Errorf(api.Invalid, "history is closed since the first mark was written (%s): send the file as live events with `anabranch events send`", model.MarkKey(1))
}

// commit makes everything that was written part of history.
func (im *importer) commit() (Result, error) {
	done := model.Import{SHA256: im.src.SHA256, Format: im.src.Format, Rows: im.rows, Objects: im.objects()}
	_, err := im.bucket.PutJSONIfAbsent(im.ctx, model.ImportKey(im.src.SHA256), done)
	if errors.Is(err, bucket.ErrExists) { // somebody else imported the same file at the same time
		other, err := imported(im.ctx, im.bucket, im.src.SHA256)
		return resultOf(other), err
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Rows: im.rows, Skipped: im.skipped, Days: len(im.days)}, nil
}
