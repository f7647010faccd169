package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// source is where the files of one generation are read from.
type source struct {
	bucket *bucket.Bucket
	id     string
	cache  string // a local folder that keeps downloads, "" for none
	temp   string // a local folder for downloads without a cache, "" for the system's
}

func (s source) key(name string) string { return model.GenerationPrefix(s.id) + name }

// data reads a whole file. It is not verified yet.
func (s source) data(ctx context.Context, f model.File) ([]byte, error) {
	if _, direct, err := s.bucket.Path(s.key(f.Name)); direct || err != nil || s.cache == "" {
		data, _, err := s.bucket.Get(ctx, s.key(f.Name))
		return data, err
	}
	path, err := s.cached(ctx, f)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// table maps a sorted table after comparing its bytes with what the manifest says.
func (s source) table(ctx context.Context, f model.File) (*sorted.Reader, error) {
	r, err := s.mapped(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if r.Rows() != f.Rows {
		return nil, errors.Join(fmt.Errorf("%s has %d rows, the manifest says %d", f.Name, r.Rows(), f.Rows), r.Close())
	}
	return r, nil
}

func (s source) mapped(ctx context.Context, f model.File) (*sorted.Reader, error) {
	path, direct, err := s.bucket.Path(s.key(f.Name))
	if err != nil {
		return nil, err
	}
	if direct {
		err := verifyFile(ctx, path, f)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = s.bucket.Head(ctx, s.key(f.Name)) // which has the right words for it
		}
		if err != nil {
			return nil, err
		}
		return sorted.Open(path)
	}
	if s.cache != "" {
		path, err := s.cached(ctx, f)
		if err != nil {
			return nil, err
		}
		return sorted.Open(path)
	}
	return s.unnamed(ctx, f)
}

// unnamed downloads a file and removes its name once it is mapped, so that the system frees the space
// with the mapping, whatever becomes of the process.
func (s source) unnamed(ctx context.Context, f model.File) (*sorted.Reader, error) {
	dir, err := os.MkdirTemp(s.temp, "anabranch-generation-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, filepath.Base(f.Name))
	var r *sorted.Reader
	if err = s.download(ctx, f, path); err == nil {
		r, err = sorted.Open(path)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil && r != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, err
}

// cached returns the path of a verified file in the cache, where it is downloaded to if necessary. What
// a crash or the disk left there in another state is downloaded anew.
func (s source) cached(ctx context.Context, f model.File) (string, error) {
	path := filepath.Join(s.cache, s.id, filepath.FromSlash(f.Name))
	err := verifyFile(ctx, path, f)
	if err == nil || ctx.Err() != nil {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	part, err := os.CreateTemp(filepath.Dir(path), "part-")
	if err != nil {
		return "", err
	}
	err = errors.Join(part.Close(), s.download(ctx, f, part.Name()))
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(part.Name()))
	}
	return path, nil
}

// download writes a file's bytes to path and verifies them.
func (s source) download(ctx context.Context, f model.File, path string) error {
	in, _, err := s.bucket.Open(ctx, s.key(f.Name))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	got, err := digest(io.TeeReader(withContext{ctx, in}, out))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("download %s: %w", f.Name, err)
	}
	return expectFile(f, got)
}

// verifyFile compares a local file with what the manifest says.
func verifyFile(ctx context.Context, path string, f model.File) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	got, err := digest(withContext{ctx, file})
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return expectFile(f, got)
}

func expectFile(f, got model.File) error {
	if got.Bytes != f.Bytes {
		return fmt.Errorf("%s has %d bytes, the manifest says %d: the file is damaged", f.Name, got.Bytes, f.Bytes)
	}
	if got.SHA256 != f.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s, the manifest says %s: the file is damaged", f.Name, got.SHA256, f.SHA256)
	}
	return nil
}

// withContext ends a long read when its context does.
type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (r withContext) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// prune removes all generations but those from a cache, and leaves what it does not know. A file that is
// mapped stays readable.
func prune(cache string, keep func(id string) bool) error {
	entries, err := os.ReadDir(cache)
	if err != nil {
		return fmt.Errorf("clear the cache of generations: %w", err)
	}
	for _, e := range entries {
		if keep(e.Name()) || !model.IsGenerationID(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(cache, e.Name())); err != nil {
			return fmt.Errorf("clear the cache of generations: %w", err)
		}
	}
	return nil
}
