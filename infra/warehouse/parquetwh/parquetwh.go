// Package parquetwh is a warehouse of Parquet files in a bucket.
//
//	warehouse/<table>/manifest.json
//	warehouse/<table>/epoch_date=2006-01-02/<16 hex digits of its SHA-256>.parquet
//
// The manifest names the one current file of each partition with its size,
// checksum and number of rows, and is replaced by compare-and-swap; a file is
// written before a manifest names it and never modified. So readers see whole
// partitions, and writers of different partitions do not disturb each other.
//
// Replacing a partition by the rows that it has, in the same order, writes
// nothing. Files that no
// manifest names any more stay in the bucket: readers may still be at them. Tools
// that read the folder as a data set (epoch_date=… is understood by most) should
// take the files that the manifest names.
package parquetwh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/internal/rowfile"
)

type driver struct {
	bucket *bucket.Bucket
}

// Open returns the warehouse in a bucket, below the prefix "warehouse/".
func Open(b *bucket.Bucket) *warehouse.Warehouse { return warehouse.New(&driver{bucket: b}) }

func (d *driver) Close() error { return nil }

func (d *driver) Ensure(ctx context.Context, t warehouse.Table) error {
	return d.change(ctx, t.Name, func(m *manifest) error {
		if m.Format == 0 {
			*m = manifest{Format: format, Table: t, Partitions: map[string]entry{}}
			return nil
		}
		merged, err := warehouse.Evolve(m.Table, t)
		if err != nil {
			return err
		}
		m.Table = merged
		return nil
	})
}

func (d *driver) ReplacePartition(
	ctx context.Context, t warehouse.Table, date arrow.Date32, _ string, rows array.RecordReader,
) (int64, error) {
	if err := d.fits(ctx, t); err != nil { // before the work of encoding
		return 0, err
	}
	data, n, err := rowfile.Encode(t.ArrowSchema(), rows)
	if err != nil {
		return 0, err
	}
	day := warehouse.FormatDate(date)
	if n == 0 {
		return 0, d.change(ctx, t.Name, func(m *manifest) error {
			delete(m.Partitions, day)
			return nil
		})
	}
	sum := sha256.Sum256(data)
	e := entry{Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Rows: n}
	e.File = fmt.Sprintf("%sepoch_date=%s/%s.parquet", folder(t.Name), day, e.SHA256[:16])
	if err := d.store(ctx, e.File, data); err != nil {
		return 0, err
	}
	return n, d.change(ctx, t.Name, func(m *manifest) error {
		if m.Format == 0 {
			return warehouse.ErrNoTable
		}
		m.Partitions[day] = e
		return nil
	})
}

// fits checks that the table exists with the columns of t.
func (d *driver) fits(ctx context.Context, t warehouse.Table) error {
	m, _, err := d.load(ctx, t.Name)
	if err != nil {
		return err
	}
	merged, err := warehouse.Evolve(m.Table, t)
	if err != nil {
		return err
	}
	if len(merged.Columns) != len(m.Table.Columns) {
		return fmt.Errorf("%w: the table lacks a column of the rows; call Ensure first", warehouse.ErrSchema)
	}
	return nil
}

// store writes a file unless it is there. Its name is its content, so anything
// else under that name is damage, which a rerun repairs.
func (d *driver) store(ctx context.Context, key string, data []byte) error {
	_, err := d.bucket.PutIfAbsent(ctx, key, data)
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	stored, _, err := d.bucket.Get(ctx, key)
	if err == nil && bytes.Equal(stored, data) {
		return nil
	}
	_, err = d.bucket.Put(ctx, key, data)
	return err
}

func (d *driver) Partitions(ctx context.Context, table string) ([]warehouse.Partition, error) {
	m, _, err := d.load(ctx, table)
	if err != nil {
		return nil, err
	}
	var partitions []warehouse.Partition
	for day, e := range m.Partitions {
		date, err := warehouse.ParseDate(day)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", manifestKey(table), warehouse.ErrDamaged, err)
		}
		partitions = append(partitions, warehouse.Partition{Date: date, Rows: e.Rows})
	}
	return partitions, nil
}
