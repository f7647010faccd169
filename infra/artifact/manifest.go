package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// ReadManifest reads and checks a generation's manifest.
func ReadManifest(ctx context.Context, b *bucket.Bucket, id string) (model.Manifest, error) {
	var m model.Manifest
	key := model.GenerationPrefix(id) + model.ManifestFile
	if _, err := b.GetJSON(ctx, key, &m); err != nil {
		if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, bucket.ErrInvalidKey) {
			return model.Manifest{}, api.Errorf(api.NotFound, "generation %s does not exist: %w", api.Clip(id), err)
		}
		return model.Manifest{}, fmt.Errorf("open generation %s: %w", id, err)
	}
	if m.Inputs.Format != model.Format {
		return model.Manifest{}, fmt.Errorf("open generation %s: its files are of format %d, this build reads format %d; run `anabranch nightly` with this build",
			id, m.Inputs.Format, model.Format)
	}
	want, err := m.Inputs.ID()
	if err != nil {
		return model.Manifest{}, err
	}
	if m.ID != id || want != id {
		return model.Manifest{}, fmt.Errorf("open generation %s: the manifest says %s and its inputs are those of %s: it is damaged", id, m.ID, want)
	}
	return m, nil
}
