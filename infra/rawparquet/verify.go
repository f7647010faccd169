package rawparquet

import (
	"context"
	"errors"
	"fmt"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// ErrDamaged says that an object is not the one that its index describes.
var ErrDamaged = errors.New("damaged file")

// ReadVerified reads an object of the raw archive as Read does, but only after its size and SHA-256
// were found to be the expected ones, and refuses files without a Span. Errors name the object.
func ReadVerified(ctx context.Context, b *bucket.Bucket, key string, size int64, sha256 string, columns []string, fn func(Batch) error) (Footer, error) {
	data, _, err := b.Get(ctx, key)
	if err != nil {
		return Footer{}, fmt.Errorf("read raw file: %w", err)
	}
	return verified(key, data, size, sha256, func() (Footer, error) { return Read(data, columns, fn) })
}

// verified reads data, the content of the object key, if it is what the index says.
func verified(key string, data []byte, size int64, sha256 string, read func() (Footer, error)) (Footer, error) {
	if err := Verify(key, data, size, sha256); err != nil {
		return Footer{}, err
	}
	footer, err := read()
	if err == nil {
		_, err = footer.Span()
	}
	if err != nil {
		return Footer{}, fmt.Errorf("read %s: %w", key, err)
	}
	return footer, nil
}

// Verify compares the content of the object key with what its index says.
func Verify(key string, data []byte, size int64, sha256 string) error {
	if err := verifySize(key, int64(len(data)), size); err != nil {
		return err
	}
	if sum := model.SHA256Hex(data); sum != sha256 {
		return fmt.Errorf("%w: %s has SHA-256 %s, its index says %s: %s", ErrDamaged, key, sum, sha256, repair)
	}
	return nil
}

const repair = "restore this object from a backup or an older version of the bucket; nothing else is affected"

func verifySize(key string, is, size int64) error {
	if is != size {
		return fmt.Errorf("%w: %s has %d bytes, its index says %d: %s", ErrDamaged, key, is, size, repair)
	}
	return nil
}
