package parquetwh

import (
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

func (d *driver) Read(ctx context.Context, t warehouse.Table, date arrow.Date32) (array.RecordReader, error) {
	m, _, err := d.load(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	if _, err := warehouse.Evolve(m.Table, t); err != nil {
		return nil, err
	}
	e, ok := m.Partitions[warehouse.FormatDate(date)]
	if !ok {
		return array.NewRecordReader(t.ArrowSchema(), nil)
	}
	records, err := d.readFile(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", e.File, err)
	}
	defer rowfile.ReleaseRecords(records)
	return rowfile.Project(t.ArrowSchema(), records)
}

// readFile returns the records of a file that is what the manifest says.
func (d *driver) readFile(ctx context.Context, e entry) ([]arrow.Record, error) {
	data, attrs, err := d.bucket.Get(ctx, e.File)
	if errors.Is(err, bucket.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", warehouse.ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); attrs.Size != e.Bytes || got != e.SHA256 {
		return nil, fmt.Errorf("%w: %d bytes with SHA-256 %s, the manifest says %d with %s",
			warehouse.ErrDamaged, attrs.Size, got, e.Bytes, e.SHA256)
	}
	records, err := rowfile.Decode(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", warehouse.ErrDamaged, err)
	}
	var rows int64
	for _, rec := range records {
		rows += rec.NumRows()
	}
	if rows != e.Rows {
		rowfile.ReleaseRecords(records)
		return nil, fmt.Errorf("%w: %d rows, the manifest says %d", warehouse.ErrDamaged, rows, e.Rows)
	}
	return records, nil
}
