package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// Store puts a file of a generation. Files are never replaced: an object that is there already has
// to hold the same bytes, anything else is an error that names the file.
func Store(ctx context.Context, b *bucket.Bucket, id string, e Encoded) error {
	return PutSame(ctx, b, model.GenerationPrefix(id)+e.File.Name, e.Data)
}

// StoreLocal is Store for a file that is not held in memory.
func StoreLocal(ctx context.Context, b *bucket.Bucket, id string, l Local) error {
	key := model.GenerationPrefix(id) + l.File.Name
	_, err := b.PutFileIfAbsent(ctx, key, l.Path)
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	there, err := fingerprint(ctx, b, key)
	if err != nil {
		return err
	}
	return expectSame(key, there, l.File)
}

// PutSame puts an object whose content is a function of its key. Finding the same bytes is success.
func PutSame(ctx context.Context, b *bucket.Bucket, key string, data []byte) error {
	_, err := b.PutIfAbsent(ctx, key, data)
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	there, _, err := b.Get(ctx, key)
	if err != nil || bytes.Equal(there, data) {
		return err
	}
	return expectSame(key, Plain(key, there).File, Plain(key, data).File)
}

func expectSame(key string, there, computed model.File) error {
	if there.Bytes == computed.Bytes && there.SHA256 == computed.SHA256 {
		return nil
	}
	return fmt.Errorf("%s exists with other bytes (%d, SHA-256 %s) than were computed from the same inputs (%d, SHA-256 %s): "+
		"it is damaged or another build wrote it; delete it and run again", key, there.Bytes, there.SHA256, computed.Bytes, computed.SHA256)
}

// fingerprint reads an object's size and checksum from its bytes.
func fingerprint(ctx context.Context, b *bucket.Bucket, key string) (model.File, error) {
	r, _, err := b.Open(ctx, key)
	if err != nil {
		return model.File{}, err
	}
	f, err := digest(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return model.File{}, fmt.Errorf("read %s: %w", key, err)
	}
	return f, nil
}

// digest reads r to its end.
func digest(r io.Reader) (model.File, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	return model.File{Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}
