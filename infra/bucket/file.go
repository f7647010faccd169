package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// FilePutter is a Driver that stores local files without holding them in memory. For any other driver
// Bucket reads the file and calls Put.
type FilePutter interface {
	// PutFile is Put with the first size bytes of r as data. r is not read after the call.
	PutFile(ctx context.Context, key string, r io.ReaderAt, size int64, cond Condition) (etag string, err error)
}

// LocalDriver is a Driver whose objects are local files.
type LocalDriver interface {
	// Path returns the file that holds, or would hold, the object.
	Path(key string) (string, error)
}

// PutFileIfAbsent stores the content of a local file under key where no object exists, in bounded
// memory; else the error is ErrExists. The file is copied, and must not change meanwhile.
//
// Where the file is too large for a single request of the store (s3bucket: 4 GiB), some servers let
// the last of several racing writers win. So put only such large files by this method whose content
// follows from their key.
func (b *Bucket) PutFileIfAbsent(ctx context.Context, key, path string) (etag string, err error) {
	if err := ValidKey(key); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("bucket: put %q: %w", key, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("bucket: put %q: %w", key, err)
	}
	etag, err = PutFile(ctx, b.drv, key, f, info.Size(), Condition{IfAbsent: true})
	if err != nil {
		return "", fmt.Errorf("bucket: put %q from %s (%d bytes, if absent): %w", key, path, info.Size(), err)
	}
	return etag, nil
}

// PutFile is FilePutter's method for any driver. Decorators call it.
func PutFile(ctx context.Context, drv Driver, key string, r io.ReaderAt, size int64, cond Condition) (etag string, err error) {
	if p, ok := drv.(FilePutter); ok {
		return p.PutFile(ctx, key, r, size, cond)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), data); err != nil {
		return "", err
	}
	return drv.Put(ctx, key, data, cond)
}

// Path returns the local file of an object, for callers that map it into memory. ok is false where
// objects are no local files. It does not look whether there is an object. The file must not be
// written to; as the object is replaced the path leads to another file.
func (b *Bucket) Path(key string) (path string, ok bool, err error) {
	local, ok := b.drv.(LocalDriver)
	if !ok {
		return "", false, nil
	}
	if err := ValidKey(key); err != nil {
		return "", false, err
	}
	path, err = local.Path(key)
	if err != nil {
		return "", false, fmt.Errorf("bucket: path of %q: %w", key, err)
	}
	return path, true, nil
}
