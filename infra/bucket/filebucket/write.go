package filebucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
)

// staleTemp is the age after which a temporary file has no living writer.
const staleTemp = 24 * time.Hour

func (d *driver) Put(_ context.Context, key string, data []byte, cond bucket.Condition) (etag string, err error) {
	return d.put(key, bytes.NewReader(data), cond)
}

// PutFile copies a file into the bucket. It is no hard link to it: who has the file open may go on
// writing, and its permissions are those of a temporary file.
func (d *driver) PutFile(ctx context.Context, key string, r io.ReaderAt, size int64, cond bucket.Condition) (etag string, err error) {
	return d.put(key, cancelled{ctx, io.NewSectionReader(r, 0, size)}, cond)
}

// cancelled ends a long copy when its context does.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func (d *driver) put(key string, content io.Reader, cond bucket.Condition) (etag string, err error) {
	name, err := d.path(key)
	if err != nil {
		return "", err
	}
	temp, etag, err := d.writeTemp(content)
	if err != nil {
		return "", err
	}
	// After a rename the name is gone, after a link it is one of two.
	defer func() { err = errors.Join(err, ignoreMissing(os.Remove(temp))) }()

	if err := makeDirs(filepath.Dir(name)); err != nil {
		return "", collision(err)
	}
	if cond.IfAbsent {
		err = linkNew(temp, name)
	} else {
		err = d.replace(temp, name, key, cond)
	}
	if err != nil {
		return "", collision(err)
	}
	return etag, nil
}

// linkNew gives temp a second name unless that exists; the kernel decides races.
func linkNew(temp, name string) error {
	err := os.Link(temp, name)
	if errors.Is(err, fs.ErrExist) {
		return bucket.ErrExists
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// replace renames temp over name, holding the key's lock so that nothing can
// come between the comparison and the rename.
func (d *driver) replace(temp, name, key string, cond bucket.Condition) (err error) {
	unlock, err := d.lock(key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if cond.IfMatch != "" {
		if err := d.expect(key, cond.IfMatch); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// expect fails unless the object exists as the version etag.
func (d *driver) expect(key, etag string) error {
	f, attrs, err := d.open(key)
	if errors.Is(err, bucket.ErrNotExist) {
		return fmt.Errorf("%w: it does not exist", bucket.ErrPrecondition)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if attrs.ETag != etag {
		return fmt.Errorf("%w: it is %s", bucket.ErrPrecondition, attrs.ETag)
	}
	return nil
}

func (d *driver) Delete(_ context.Context, key string) (err error) {
	name, err := d.path(key)
	if err != nil {
		return err
	}
	unlock, err := d.lock(key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	// Directories stay: removing one could race with a Put into it.
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return ignoreMissing(err)
	}
	if err := os.Remove(name); err != nil {
		return ignoreMissing(err)
	}
	return syncDir(filepath.Dir(name))
}

// writeTemp stores content, durably, in a temporary file.
func (d *driver) writeTemp(content io.Reader) (name, etag string, err error) {
	name = filepath.Join(d.tmp, rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), content)
	etag = hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		err = remember(f, etag)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", "", errors.Join(err, os.Remove(name))
	}
	return name, etag, nil
}

// removeStaleTemps clears what killed processes left.
func (d *driver) removeStaleTemps() error {
	entries, err := os.ReadDir(d.tmp)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > staleTemp {
			err = os.Remove(filepath.Join(d.tmp, entry.Name()))
		}
		if ignoreMissing(err) != nil {
			return err
		}
	}
	return nil
}

// collision explains the one kind of key that S3 could hold beside another and
// a file system cannot.
func collision(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return fmt.Errorf("one key is the directory of another: %w", err)
	}
	return err
}

// makeDirs creates a directory and its parents, and syncs each parent that got
// a new entry, since a synced file in a lost directory is lost.
func makeDirs(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil // somebody else was first
		}
		if errors.Is(err, fs.ErrExist) {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
