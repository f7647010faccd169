package parquetwh

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/warehouse"
)

// casAttempts bounds the retries of a manifest change that loses races; each
// lost one means that another writer succeeded.
const casAttempts = 50

// manifest is the content of manifest.json: the table and its current files.
type manifest struct {
	// Format is 1.
	Format int             `json:"format"`
	Table  warehouse.Table `json:"table"`
	// Partitions by date (2006-01-02).
	Partitions map[string]entry `json:"partitions"`
}

// entry is the file that holds a partition.
type entry struct {
	// File is the key of the file in the bucket.
	File string `json:"file"`
	// Bytes is its size.
	Bytes int64 `json:"bytes"`
	// SHA256 is of the whole file, in hex.
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

const format = 1

func folder(table string) string      { return "warehouse/" + table + "/" }
func manifestKey(table string) string { return folder(table) + "manifest.json" }

// load reads a table's manifest; without one the error is ErrNoTable.
func (d *driver) load(ctx context.Context, table string) (manifest, string, error) {
	var m manifest
	attrs, err := d.bucket.GetJSON(ctx, manifestKey(table), &m)
	if errors.Is(err, bucket.ErrNotExist) {
		return manifest{}, "", fmt.Errorf("%w: %w", warehouse.ErrNoTable, err)
	}
	if err != nil {
		return manifest{}, "", err
	}
	if m.Format != format {
		return manifest{}, "", fmt.Errorf("%s has format %d, this program knows %d", manifestKey(table), m.Format, format)
	}
	return m, attrs.ETag, nil
}

// change applies edit to the manifest by compare-and-swap, again from the
// start when another writer was faster. A manifest that edit leaves equal is
// not written. Where there is none, edit gets the zero manifest.
func (d *driver) change(ctx context.Context, table string, edit func(*manifest) error) error {
	for range casAttempts {
		m, etag, err := d.load(ctx, table)
		if err != nil && !errors.Is(err, warehouse.ErrNoTable) {
			return err
		}
		before := m.clone()
		if err := edit(&m); err != nil {
			return err
		}
		if reflect.DeepEqual(before, m) {
			return nil
		}
		if etag == "" {
			_, err = d.bucket.PutJSONIfAbsent(ctx, manifestKey(table), m)
		} else {
			_, err = d.bucket.PutJSONIfMatch(ctx, manifestKey(table), m, etag)
		}
		if !errors.Is(err, bucket.ErrExists) && !errors.Is(err, bucket.ErrPrecondition) {
			return err
		}
	}
	return fmt.Errorf("%s was changed by others %d times in a row", manifestKey(table), casAttempts)
}

// clone copies what edits modify in place.
func (m manifest) clone() manifest {
	if m.Partitions == nil {
		return m
	}
	partitions := make(map[string]entry, len(m.Partitions))
	for date, e := range m.Partitions {
		partitions[date] = e
	}
	m.Partitions = partitions
	return m
}
