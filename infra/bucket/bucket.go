// Package bucket is object storage as Anabranch uses it: whole objects, written
// once or swapped by comparison.
//
// Bucket is a concrete type over a small Driver. The drivers are
// infra/bucket/filebucket (a directory) and infra/bucket/s3bucket (S3 and what
// speaks its protocol); infra/bucket/buckettest is the suite that each passes,
// and infra/bucket/errbucket decorates a driver with faults for crash tests.
//
// # What callers may rely on
//
//   - A reader sees a whole object or none, never a part of one. A Put that
//     returned is durable; one that returned an error may have happened or not.
//   - PutIfAbsent and PutIfMatch are decided by the store: of many racing
//     writers exactly one succeeds, the others get ErrExists or ErrPrecondition.
//   - After a network error s3bucket cannot know whether a conditional write was
//     applied. It asks, and where the condition no longer holds it compares the
//     stored content with its own: equal means success. Else it tries again. Two writers
//     of identical bytes may therefore both succeed after a network error; who
//     needs to know that it was *they* puts a nonce into the content.
//   - Get, Head and List see the latest completed write.
//
// # Keys
//
// Keys are names such as "raw/events/x.parquet", see ValidKey. A key must not be
// the directory of another ("a" beside "a/b"): file systems cannot hold both.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bucket is a store of named objects. It is safe for use by many goroutines.
type Bucket struct {
	drv Driver
}

// New returns a bucket over a driver.
func New(drv Driver) *Bucket { return &Bucket{drv: drv} }

// Driver returns what the bucket was made from, for decorators.
func (b *Bucket) Driver() Driver { return b.drv }

// Get reads a whole object. A missing one is ErrNotExist; a stream that ends
// before the announced size is io.ErrUnexpectedEOF.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, Attrs, error) {
	r, attrs, err := b.Open(ctx, key)
	if err != nil {
		return nil, Attrs{}, err
	}
	data := make([]byte, attrs.Size)
	_, err = io.ReadFull(r, data)
	if err == nil {
		err = expectEnd(r)
	} else if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // ReadFull says EOF when not one byte came
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, Attrs{}, fmt.Errorf("bucket: read %q (%d bytes): %w", key, attrs.Size, err)
	}
	return data, attrs, nil
}

// expectEnd checks that r has nothing left, which also lets a driver that
// verifies a checksum at the end of the stream report it.
func expectEnd(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, 1))
	if err == nil && n > 0 {
		return errors.New("more bytes than announced")
	}
	return err
}

// Open starts reading an object; the caller closes the reader. Use it for
// objects that should not be held in memory, and compare the bytes read with
// Attrs.Size: unlike Get it cannot do so.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, Attrs, error) {
	if err := ValidKey(key); err != nil {
		return nil, Attrs{}, err
	}
	r, attrs, err := b.drv.Open(ctx, key)
	if err != nil {
		return nil, Attrs{}, fmt.Errorf("bucket: get %q: %w", key, err)
	}
	return r, attrs, nil
}

// Head returns the size and ETag of an object without reading it.
func (b *Bucket) Head(ctx context.Context, key string) (Attrs, error) {
	if err := ValidKey(key); err != nil {
		return Attrs{}, err
	}
	attrs, err := b.drv.Head(ctx, key)
	if err != nil {
		return Attrs{}, fmt.Errorf("bucket: head %q: %w", key, err)
	}
	return attrs, nil
}

// Put stores data under key, replacing what is there, and returns its ETag.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) (etag string, err error) {
	return b.put(ctx, key, data, Condition{})
}

// PutIfAbsent stores data under key only where no object exists, and returns
// its ETag. If there is one already the error is ErrExists.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, data []byte) (etag string, err error) {
	return b.put(ctx, key, data, Condition{IfAbsent: true})
}

// PutIfMatch replaces the version of an object that etag names, and returns the
// new ETag. If the object has another version or is missing the error is
// ErrPrecondition.
func (b *Bucket) PutIfMatch(ctx context.Context, key string, data []byte, etag string) (newETag string, err error) {
	if etag == "" {
		return "", fmt.Errorf("bucket: put %q if it matches: no etag given", key)
	}
	return b.put(ctx, key, data, Condition{IfMatch: etag})
}

func (b *Bucket) put(ctx context.Context, key string, data []byte, cond Condition) (string, error) {
	if err := ValidKey(key); err != nil {
		return "", err
	}
	etag, err := b.drv.Put(ctx, key, data, cond)
	if err != nil {
		return "", fmt.Errorf("bucket: put %q (%d bytes%s): %w", key, len(data), cond.suffix(), err)
	}
	return etag, nil
}

// suffix describes a condition inside an error message.
func (c Condition) suffix() string {
	switch {
	case c.IfAbsent:
		return ", if absent"
	case c.IfMatch != "":
		return ", if it is still version " + c.IfMatch
	default:
		return ""
	}
}

// List returns all objects whose key begins with prefix, sorted by key as
// bytes. The empty prefix lists everything.
func (b *Bucket) List(ctx context.Context, prefix string) ([]Attrs, error) {
	if err := validPrefix(prefix); err != nil {
		return nil, err
	}
	objects, err := b.drv.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("bucket: list %q: %w", prefix, err)
	}
	slices.SortFunc(objects, func(x, y Attrs) int { return strings.Compare(x.Key, y.Key) })
	return objects, nil
}

// Delete removes an object; a missing one is not an error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	if err := b.drv.Delete(ctx, key); err != nil {
		return fmt.Errorf("bucket: delete %q: %w", key, err)
	}
	return nil
}
