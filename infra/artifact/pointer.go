package artifact

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// ReadPointer returns the pointer and its ETag. Before the first generation is published the pointer
// is zero and the ETag empty.
func ReadPointer(ctx context.Context, b *bucket.Bucket) (p model.Pointer, etag string, err error) {
	attrs, err := b.GetJSON(ctx, model.PointerKey, &p)
	if errors.Is(err, bucket.ErrNotExist) {
		return model.Pointer{}, "", nil
	}
	if err != nil {
		return model.Pointer{}, "", fmt.Errorf("read the pointer to the current generation: %w", err)
	}
	return p, attrs.ETag, nil
}
