package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Check proves that a store does what Anabranch relies on, by writing, reading
// and deleting one small object under key: above all that it honours conditional
// writes, which some servers that speak S3 silently ignore. Use a fresh key.
func (b *Bucket) Check(ctx context.Context, key string) (err error) {
	first, second := []byte("first"), []byte("second")
	etag, err := b.PutIfAbsent(ctx, key, first)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Delete(ctx, key)) }()
	if _, err := b.PutIfAbsent(ctx, key, second); !errors.Is(err, ErrExists) {
		return unconditional("if absent over an object", err)
	}
	if _, err := b.PutIfMatch(ctx, key, second, etag); err != nil {
		return err
	}
	if _, err := b.PutIfMatch(ctx, key, first, etag); !errors.Is(err, ErrPrecondition) {
		return unconditional("if it matches an old version", err)
	}
	data, _, err := b.Get(ctx, key)
	if err == nil && !bytes.Equal(data, second) {
		err = fmt.Errorf("bucket: read back %q after writing %q", data, second)
	}
	return err
}

func unconditional(what string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("bucket: the store accepted a write %s: "+
		"it ignores conditional writes and must not be used", what)
}
