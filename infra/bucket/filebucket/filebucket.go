// Package filebucket keeps a bucket in a directory of a local file system.
//
// An object is a plain file at the path that its key spells, so that the usual
// tools can read it. Processes may share the directory, and any of them may be
// killed at any moment:
//
//   - content is written to a temporary file and synced first; then link(2)
//     (which fails if the name exists) or rename(2) gives it its name, and the
//     directory is synced before Put returns;
//   - Put, PutIfMatch and Delete of a key hold an flock on one of 256 lock files;
//     the kernel drops it when its holder dies. PutIfAbsent needs no lock;
//   - temporary and lock files live in DIR/.filebucket, which no key can name and
//     List never shows. Temporary files of a killed process are harmless; Open
//     removes those older than a day.
//
// The ETag is the SHA-256 of the content in hex. It is kept in an extended
// attribute beside the size and modification time that it belongs to, so that
// Head and List need not read files; where the attribute is missing (a file
// system without them, a file that was copied in) or stale, the file is hashed.
//
// It needs a Unix file system with hard links and flock; a network file system
// that lacks either is not safe.
package filebucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/anabranch/anabranch/infra/bucket"
)

// private is the directory inside the bucket's for temporary and lock files.
const private = ".filebucket"

type driver struct {
	dir   string // the objects
	tmp   string // temporary files, on the same file system
	locks string // lock files
}

// Open returns a bucket in dir, which is created when missing. It fails, naming
// the directory and what to do, when dir cannot be written.
func Open(dir string) (*bucket.Bucket, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filebucket: directory %q: %w", dir, err)
	}
	d := &driver{
		dir:   abs,
		tmp:   filepath.Join(abs, private, "tmp"),
		locks: filepath.Join(abs, private, "locks"),
	}
	if err := d.prepare(); err != nil {
		return nil, fmt.Errorf("filebucket: cannot write to the directory %s: %w "+
			"(give this user write permission there, or choose another directory)", abs, err)
	}
	return bucket.New(d), nil
}

// prepare creates the directories and proves that they can be written.
func (d *driver) prepare() error {
	for _, dir := range []string{d.dir, d.tmp, d.locks} {
		if err := makeDirs(dir); err != nil {
			return err
		}
	}
	name, _, err := d.writeTemp(strings.NewReader(""))
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	return d.removeStaleTemps()
}

// path returns the file of a key.
func (d *driver) path(key string) (string, error) {
	if first, _, _ := strings.Cut(key, "/"); first == private {
		return "", fmt.Errorf("%w: names below %s are the bucket's own", bucket.ErrInvalidKey, private)
	}
	return filepath.Join(d.dir, filepath.FromSlash(key)), nil
}

// Path returns the file of a key, whether it exists or not.
func (d *driver) Path(key string) (string, error) { return d.path(key) }

func (d *driver) Open(_ context.Context, key string) (io.ReadCloser, bucket.Attrs, error) {
	f, attrs, err := d.open(key)
	if err != nil {
		return nil, bucket.Attrs{}, err
	}
	return f, attrs, nil
}

func (d *driver) Head(_ context.Context, key string) (bucket.Attrs, error) {
	f, attrs, err := d.open(key)
	if err != nil {
		return bucket.Attrs{}, err
	}
	return attrs, f.Close()
}

// open returns the file of a key, positioned at its start.
func (d *driver) open(key string) (*os.File, bucket.Attrs, error) {
	name, err := d.path(key)
	if err != nil {
		return nil, bucket.Attrs{}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, bucket.Attrs{}, notExist(err)
	}
	attrs, err := fileAttrs(f, key)
	if err != nil {
		return nil, bucket.Attrs{}, errors.Join(err, f.Close())
	}
	return f, attrs, nil
}

// fileAttrs describes an open file; a directory is not an object.
func fileAttrs(f *os.File, key string) (bucket.Attrs, error) {
	info, err := f.Stat()
	if err != nil {
		return bucket.Attrs{}, err
	}
	if !info.Mode().IsRegular() {
		return bucket.Attrs{}, fmt.Errorf("%w: %s is not a regular file", bucket.ErrNotExist, f.Name())
	}
	etag, err := etagOf(f, info)
	if err != nil {
		return bucket.Attrs{}, err
	}
	return bucket.Attrs{Key: key, Size: info.Size(), ETag: etag}, nil
}

// notExist gives a missing file, or a path below a regular file, its portable name.
func notExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", bucket.ErrNotExist, err)
	}
	return err
}

func (d *driver) List(ctx context.Context, prefix string) ([]bucket.Attrs, error) {
	if strings.HasPrefix(prefix, private+"/") {
		return nil, nil
	}
	// Only the directory that the prefix names can hold matches.
	start := d.dir
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = filepath.Join(d.dir, filepath.FromSlash(prefix[:i]))
	}
	var objects []bucket.Attrs
	err := filepath.WalkDir(start, func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return ignoreMissing(err) // removed while we walk, or no such directory
		}
		key := d.key(name)
		switch {
		case key == private:
			return filepath.SkipDir
		case entry.IsDir():
			return skipUnrelated(key, prefix)
		case !entry.Type().IsRegular() || !strings.HasPrefix(key, prefix):
			return nil
		}
		attrs, err := d.Head(ctx, key)
		if errors.Is(err, bucket.ErrNotExist) {
			return nil
		}
		objects = append(objects, attrs)
		return err
	})
	return objects, err
}

// key is the inverse of path; the bucket's own directory is the empty key.
func (d *driver) key(name string) string {
	return filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(name, d.dir), string(filepath.Separator)))
}

// skipUnrelated prunes a directory in which no key can begin with prefix.
func skipUnrelated(dirKey, prefix string) error {
	dirKey += "/"
	if dirKey == "/" || strings.HasPrefix(dirKey, prefix) || strings.HasPrefix(prefix, dirKey) {
		return nil
	}
	return filepath.SkipDir
}

func ignoreMissing(err error) error {
	if errors.Is(notExist(err), bucket.ErrNotExist) {
		return nil
	}
	return err
}
