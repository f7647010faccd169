package materialize

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// Archived lists everything that is archived, whether a mark has closed it or not, in reading order:
// imports and the epochs as far as they go. Dates of files are not set.
func Archived(ctx context.Context, b *bucket.Bucket) (Source, error) {
	var s Source
	if err := s.addImports(ctx, b); err != nil {
		return Source{}, err
	}
	objects, err := b.List(ctx, model.IndexPrefix)
	if err != nil {
		return Source{}, fmt.Errorf("list the indexes of the archive: %w", err)
	}
	from := model.Cut{}
	for _, o := range objects { // sorted by key, so by epoch
		if !strings.HasSuffix(o.Key, ".json") {
			continue
		}
		var x model.Index
		if _, err := b.GetJSON(ctx, o.Key, &x); err != nil {
			return Source{}, fmt.Errorf("%s: %w", o.Key, err)
		}
		to := reached(&x, from)
		if err := x.CheckChain(from, to); err != nil {
			return Source{}, fmt.Errorf("raw archive: %w; restore the object or its entry in %s", err, o.Key)
		}
		if err := s.addEpoch(x, time.UnixMilli(0)); err != nil {
			return Source{}, err
		}
		from = to
	}
	for _, f := range s.Files {
		s.Rows += f.Rows
	}
	return s, nil
}

// reached returns how far the archive has got with an epoch that began at from: where the epoch ends, or where
// its last object does.
func reached(x *model.Index, from model.Cut) model.Cut {
	to := maps.Clone(from)
	for _, o := range x.Objects {
		to[o.Partition] = max(to[o.Partition], o.End)
	}
	maps.Copy(to, x.End)
	return to
}

// Position returns the position of the row at an offset, as the number that orders rows.
func (f *File) Position(offset int64) int64 { return f.seq(offset) }
