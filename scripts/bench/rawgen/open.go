package rawgen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// Archive is a generated archive on disk.
type Archive struct {
	Dir    string         `json:"-"` // of the bucket
	Bucket *bucket.Bucket `json:"-"`
	Params Params         `json:"params"`
	Marks  int64          `json:"marks"` // the last mark: epochs 0 to Marks-1 are whole
	Cut    model.Cut      `json:"cut"`   // where it lies
	Bytes  int64          `json:"bytes"` // of the Parquet files
}

// Glob matches every Parquet file of the archive, for engines that read a directory.
func (a Archive) Glob() string {
	return filepath.Join(a.Dir, model.RawPrefix, "*", "*", "*", "*.parquet")
}

// CacheDir returns where benchmarks keep generated data: ANABRANCH_BENCHDATA, or a folder of the user's cache.
func CacheDir() (string, error) {
	if dir := os.Getenv("ANABRANCH_BENCHDATA"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for benchmark data (or name one in ANABRANCH_BENCHDATA): %w", err)
	}
	return filepath.Join(cache, "anabranch", "bench"), nil
}

// summary is the file that is written last: where it exists, the archive is whole.
const summary = "archive.json"

// Open returns the archive of the parameters below dir and generates it where it is missing.
func Open(ctx context.Context, dir string, p Params, log *slog.Logger) (Archive, error) {
	if err := p.check(); err != nil {
		return Archive{}, err
	}
	home := filepath.Join(dir, p.name())
	a, err := load(home)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := generate(ctx, dir, home, p, log); err != nil {
		return Archive{}, fmt.Errorf("generate %s: %w", home, err)
	}
	return load(home)
}

func load(home string) (Archive, error) {
	text, err := os.ReadFile(filepath.Join(home, summary))
	if err != nil {
		return Archive{}, fmt.Errorf("open a generated archive: %w", err)
	}
	a := Archive{Dir: filepath.Join(home, "bucket")}
	if err := json.Unmarshal(text, &a); err != nil {
		return Archive{}, fmt.Errorf("open a generated archive: %s: %w", filepath.Join(home, summary), err)
	}
	a.Bucket, err = filebucket.Open(a.Dir)
	return a, err
}

// generate builds the archive in a folder of its own and gives it its name when it is whole, so that neither
// a killed process nor two at once leave half of one.
func generate(ctx context.Context, dir, home string, p Params, log *slog.Logger) (err error) {
	log.Info("generating a raw archive, once", "folder", home, "rows", p.Rows, "disk_mb", p.DiskBytes()>>20)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "generating-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	b, err := filebucket.Open(filepath.Join(tmp, "bucket"))
	if err != nil {
		return err
	}
	a := Archive{Params: p, Marks: int64(p.Days)}
	began, told := time.Now(), time.Now()
	a.Cut, a.Bytes, err = write(ctx, b, p, func(rows int64) {
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			log.Info("generating a raw archive", "rows", rows, "of", p.Rows, "rows_per_s", int64(float64(rows)/time.Since(began).Seconds()))
		}
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, summary), text, 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, home); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	log.Info("generated a raw archive", "rows", p.Rows, "bytes", a.Bytes, "seconds", int(time.Since(began).Seconds()))
	return nil
}

// Objects returns the archive's files in the order of epochs, partitions and offsets.
func (a Archive) Objects(ctx context.Context) ([]model.Object, error) {
	var out []model.Object
	for epoch := range a.Marks {
		var x model.Index
		if _, err := a.Bucket.GetJSON(ctx, model.IndexKey(epoch), &x); err != nil {
			return nil, fmt.Errorf("list the files of %s: %w", a.Dir, err)
		}
		out = append(out, x.Objects...)
	}
	return out, nil
}
