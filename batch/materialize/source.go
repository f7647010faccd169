package materialize

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// File is one raw file to read.
type File struct {
	Key    string
	Bytes  int64
	SHA256 string
	Rows   int64

	Topic     string // topic id, or the hash of the imported file
	Epoch     int64  // negative for imports: one number a day, adjacent days adjacent
	Partition int32
	First     int64 // offsets [First, End); for imports both are 0 and rows are not checked against them
	End       int64
	Label     int64 // Unix ms: label of the mark that closed the epoch; 0 for imports
	Date      int32 // days since 1970-01-01 of the warehouse partition
	Import    int   // ordinal of the imported file by hash, or -1
}

// seq returns the position of a row as the number that orders rows.
func (f *File) seq(offset int64) int64 {
	if f.Import >= 0 {
		return tile.ImportSeq(f.Import, offset)
	}
	return tile.Seq(f.Partition, offset)
}

// Source is everything that the history before a cut consists of.
type Source struct {
	Files   []File // in reading order
	Imports []string
	Indexes []model.IndexRef
	Rows    int64 // as the indexes say
	Epochs  int64 // live epochs 0 to Epochs-1 are whole; 0 where that was not asked
}

// Target says up to where history is wanted.
type Target struct {
	TopicID string
	N       int64 // the cut's number: epochs 0 to N-1 are read
	Cut     model.Cut
}

// importEpochs is added to a day to get the epoch of imported events: far before epoch 0, so that no
// import counts as the epoch that precedes it.
const importEpochs = -1 << 32

// Discover lists the files of a target. An archive that did not reach the cut yet is
// api.Unavailable; one that does not cover it without gaps is an error that names epoch and partition.
func Discover(ctx context.Context, b *bucket.Bucket, t Target) (Source, error) {
	var s Source
	if err := s.addImports(ctx, b); err != nil {
		return Source{}, err
	}
	from := model.Cut{}
	for epoch := range t.N {
		x, label, err := readEpoch(ctx, b, t, epoch)
		if err != nil {
			return Source{}, err
		}
		if err := x.CheckChain(from, x.End); err != nil {
			return Source{}, fmt.Errorf("raw archive: %w; restore the object or its entry in %s", err, model.IndexKey(epoch))
		}
		if err := s.addEpoch(x, label); err != nil {
			return Source{}, err
		}
		from = x.End
	}
	if !maps.Equal(from, t.Cut) {
		return Source{}, fmt.Errorf("raw archive: epoch %d ends at %v, mark %d lies at %v", t.N-1, from, t.N, t.Cut)
	}
	for _, f := range s.Files {
		s.Rows += f.Rows
	}
	s.Epochs = t.N
	return s, nil
}

// readEpoch reads the index of an epoch, complete, and the label of the mark that closed it.
func readEpoch(ctx context.Context, b *bucket.Bucket, t Target, epoch int64) (x model.Index, label time.Time, err error) {
	var mark model.Mark
	if _, err := b.GetJSON(ctx, model.MarkKey(epoch+1), &mark); err != nil {
		return x, label, fmt.Errorf("epoch %d: the mark that closes it: %w", epoch, err)
	}
	if _, err := b.GetJSON(ctx, model.IndexKey(epoch), &x); err != nil {
		if errors.Is(err, bucket.ErrNotExist) {
			return x, label, api.Errorf(api.Unavailable, "epoch %d has no index yet (%s): is `anabranch archive` running? %w", epoch, model.IndexKey(epoch), err)
		}
		return x, label, fmt.Errorf("epoch %d: %w", epoch, err)
	}
	if x.Epoch != epoch || x.TopicID != t.TopicID {
		return x, label, fmt.Errorf("epoch %d: %s is of epoch %d and topic %s, expected topic %s: the topic was created anew, or the index is damaged",
			epoch, model.IndexKey(epoch), x.Epoch, x.TopicID, t.TopicID)
	}
	if epoch == t.N-1 {
		for p := range t.Cut {
			if _, reached := x.End[p]; !reached {
				return x, label, api.Errorf(api.Unavailable, "the archive has not reached mark %d in partition %d yet: try again in a moment", t.N, p)
			}
		}
	}
	return x, mark.Label, nil
}

func dayOf(t time.Time) int32 { return dayOfMillis(t.UnixMilli()) }

const dayMillis = 86_400_000

// dayOfMillis returns the UTC day of an instant since 1970-01-02 or a bit earlier.
func dayOfMillis(ms int64) int32 { return int32(tile.Start(ms, dayMillis) / dayMillis) }

func (s *Source) addEpoch(x model.Index, label time.Time) error {
	sum, err := bucket.EncodeJSON(struct {
		Objects []model.Object
		End     model.Cut
	}{x.Objects, x.End})
	if err != nil {
		return err
	}
	s.Indexes = append(s.Indexes, model.IndexRef{Epoch: x.Epoch, Version: x.Version, SHA256: model.SHA256Hex(sum)})
	for _, o := range x.Objects {
		s.Files = append(s.Files, File{
			Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Rows: o.Rows,
			Topic: x.TopicID, Epoch: x.Epoch, Partition: o.Partition, First: o.First, End: o.End,
			Label: label.UnixMilli(), Date: dayOf(label.Add(-time.Nanosecond)), Import: -1,
		})
	}
	return nil
}

// addImports adds the committed imports.
func (s *Source) addImports(ctx context.Context, b *bucket.Bucket) error {
	objects, err := b.List(ctx, model.ImportPrefix)
	if err != nil {
		return fmt.Errorf("list imports: %w", err)
	}
	for _, o := range objects { // sorted by key, so by hash
		sha, found := strings.CutSuffix(strings.TrimPrefix(o.Key, model.ImportPrefix), "/index.json")
		if !found {
			continue
		}
		var im model.Import
		if _, err := b.GetJSON(ctx, o.Key, &im); err != nil {
			return fmt.Errorf("import %s: %w", sha, err)
		}
		if im.SHA256 != sha {
			return fmt.Errorf("import %s: %s is of %s: it is damaged", sha, o.Key, im.SHA256)
		}
		if err := s.addImport(im); err != nil {
			return fmt.Errorf("import %s: %w", sha, err)
		}
	}
	slices.SortStableFunc(s.Files, func(a, b File) int { return int(a.Epoch - b.Epoch) })
	return nil
}

func (s *Source) addImport(im model.Import) error {
	for _, o := range im.Objects {
		day, err := time.Parse(time.DateOnly, o.Day)
		if err != nil {
			return fmt.Errorf("object %s: day %q is no date", o.Key, o.Day)
		}
		s.Files = append(s.Files, File{
			Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Rows: o.Rows,
			Topic: im.SHA256, Epoch: importEpochs + int64(dayOf(day)), Date: dayOf(day), Import: len(s.Imports),
		})
	}
	s.Imports = append(s.Imports, im.SHA256)
	return nil
}
