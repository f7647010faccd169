package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// Store puts a file of a generation. Files are never replaced: an object that is there already has
// to hold the same bytes, anything else is an error that names the file.
func Store(ctx context.Context, b *bucket.Bucket, id string, e Encoded) error {
	return PutSame(ctx, b, model.GenerationPrefix(id)+e.File.Name, e.Data)
}

// PutSame puts an object whose content is a function of its key. Finding the same bytes is success.
func PutSame(ctx context.Context, b *bucket.Bucket, key string, data []byte) error {
	_, err := b.PutIfAbsent(ctx, key, data)
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	there, _, err := b.Get(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, data) {
		return fmt.Errorf("%s exists with other bytes (%d, SHA-256 %s) than were computed from the same inputs (%d, SHA-256 %s): "+
			"it is damaged or another build wrote it; delete it and run again", key, len(there), model.SHA256Hex(there), len(data), model.SHA256Hex(data))
	}
	return nil
}
