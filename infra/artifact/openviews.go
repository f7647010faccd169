package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// Views are the tables that the next night continues from. Unlike those of a Generation they are for one owner, who
// closes them after the last use of anything that they returned.
type Views struct {
	Manifest                   model.Manifest
	User, Item, Global, Recent *sorted.Reader
}

// OpenViews opens and verifies the views of a generation and none of its other files. Where the bucket is
// no folder they are downloaded to the local folder dir (that of the system for temporary files if it is ""), under no
// name that could be left behind. A missing generation is api.NotFound.
func OpenViews(ctx context.Context, b *bucket.Bucket, id, dir string) (*Views, error) {
	m, err := ReadManifest(ctx, b, id)
	if err != nil {
		return nil, err
	}
	v := &Views{Manifest: m}
	if err := v.open(ctx, source{bucket: b, id: id, temp: dir}); err != nil {
		return nil, fmt.Errorf("open the views of generation %s: %w", id, errors.Join(err, v.Close()))
	}
	return v, nil
}

func (v *Views) open(ctx context.Context, s source) error {
	for _, view := range []struct {
		name string
		into **sorted.Reader
	}{{model.UserViewFile, &v.User}, {model.ItemViewFile, &v.Item}, {model.GlobalViewFile, &v.Global}, {model.RecentFile, &v.Recent}} {
		f, ok := v.Manifest.File(view.name)
		if !ok {
			return fmt.Errorf("the manifest lists no %s", view.name)
		}
		var err error
		if *view.into, err = s.table(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// Close unmaps the tables.
func (v *Views) Close() error {
	var all []error
	for _, r := range []*sorted.Reader{v.User, v.Item, v.Global, v.Recent} {
		if r != nil {
			all = append(all, r.Close())
		}
	}
	v.User, v.Item, v.Global, v.Recent = nil, nil, nil, nil
	return errors.Join(all...)
}
