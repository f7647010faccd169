// Package warehouse is a store of partitioned tables for analysts.
//
// Warehouse is a concrete type over a small Driver: infra/warehouse/parquetwh
// keeps Parquet files in a bucket, infra/warehouse/bqwh speaks to BigQuery;
// infra/warehouse/warehousetest is the suite that each passes. Rows are handed
// over as Arrow records of the table's ArrowSchema.
//
// # What callers may rely on
//
//   - Every table is partitioned by the date column epoch_date. A partition is
//     replaced as a whole: a reader sees all of the old rows or all of the new.
//   - ReplacePartition is safe to repeat. jobKey names the content: use the same
//     key for the same rows only (a hash of the inputs will do). A driver may
//     adopt an earlier or still running replacement with the same key.
//   - Ensure creates a table or adds columns to it. It never drops a column or
//     changes its type; a column that the new definition lacks stays, with nulls.
//   - A partition without rows does not exist.
//   - Rows come back in no particular order.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Errors that callers tell apart with errors.Is. Drivers wrap them.
var (
	// ErrNoTable says that Ensure was never called for the table.
	ErrNoTable = errors.New("table does not exist")
	// ErrSchema says that a table cannot become, or rows are not, what was asked.
	ErrSchema = errors.New("schema does not fit")
	// ErrDamaged says that stored data is not what was written.
	ErrDamaged = errors.New("stored data is damaged")
)

// Partition is one date of a table.
type Partition struct {
	// Date is the epoch's date.
	Date arrow.Date32
	// Rows is the number of rows, at least 1.
	Rows int64
}

// Driver is what a warehouse has to offer. Tables and dates that arrive here
// are valid, and rows are checked while they are read (see CheckRows).
type Driver interface {
	// Ensure creates the table or evolves it (see Evolve).
	Ensure(ctx context.Context, t Table) error
	// ReplacePartition makes rows the whole content of a partition and returns
	// their number. A reader that fails leaves the partition as it was.
	ReplacePartition(ctx context.Context, t Table, date arrow.Date32, jobKey string, rows array.RecordReader) (int64, error)
	// Partitions lists the partitions of a table, in any order.
	Partitions(ctx context.Context, table string) ([]Partition, error)
	// Read returns the rows of a partition with the columns of t; none where
	// there is no such partition. The caller releases the reader.
	Read(ctx context.Context, t Table, date arrow.Date32) (array.RecordReader, error)
	// Close frees connections.
	Close() error
}

// Warehouse is a set of tables. It is safe for use by many goroutines.
type Warehouse struct {
	drv Driver
}

// New returns a warehouse over a driver.
func New(drv Driver) *Warehouse { return &Warehouse{drv: drv} }

// Close frees what the driver holds.
func (w *Warehouse) Close() error { return w.drv.Close() }

// Ensure creates the table, or adds what it lacks. A change that is not an
// addition is ErrSchema.
func (w *Warehouse) Ensure(ctx context.Context, t Table) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if err := w.drv.Ensure(ctx, t); err != nil {
		return fmt.Errorf("warehouse: ensure table %s: %w", t.Name, err)
	}
	return nil
}

// ReplacePartition makes rows the whole content of the partition of date and
// returns how many they were. Each row's epoch_date must be date. The reader is
// consumed but not released. The rows of one partition are held in memory.
func (w *Warehouse) ReplacePartition(
	ctx context.Context, t Table, date arrow.Date32, jobKey string, rows array.RecordReader,
) (int64, error) {
	if err := t.Validate(); err != nil {
		return 0, err
	}
	n, err := w.replace(ctx, t, date, jobKey, rows)
	if err != nil {
		return 0, fmt.Errorf("warehouse: replace partition %s of %s: %w", FormatDate(date), t.Name, err)
	}
	return n, nil
}

func (w *Warehouse) replace(
	ctx context.Context, t Table, date arrow.Date32, jobKey string, rows array.RecordReader,
) (int64, error) {
	if err := validDate(date); err != nil {
		return 0, err
	}
	if jobKey == "" {
		return 0, errors.New("no job key")
	}
	checked, err := CheckRows(t, date, rows)
	if err != nil {
		return 0, err
	}
	return w.drv.ReplacePartition(ctx, t, date, jobKey, checked)
}

// Partitions returns the partitions of a table by rising date.
func (w *Warehouse) Partitions(ctx context.Context, table string) ([]Partition, error) {
	if err := validName(table); err != nil {
		return nil, fmt.Errorf("warehouse: table: %w", err)
	}
	partitions, err := w.drv.Partitions(ctx, table)
	if err != nil {
		return nil, fmt.Errorf("warehouse: list partitions of %s: %w", table, err)
	}
	slices.SortFunc(partitions, func(a, b Partition) int { return int(a.Date) - int(b.Date) })
	return partitions, nil
}

// Read returns the rows of one partition with the columns of t, in no
// particular order; none where the partition does not exist. Columns that were
// added after the rows were written are null (lists: empty). The caller releases
// the reader.
func (w *Warehouse) Read(ctx context.Context, t Table, date arrow.Date32) (array.RecordReader, error) {
	if err := errors.Join(t.Validate(), validDate(date)); err != nil {
		return nil, err
	}
	rows, err := w.drv.Read(ctx, t, date)
	if err != nil {
		return nil, fmt.Errorf("warehouse: read partition %s of %s: %w", FormatDate(date), t.Name, err)
	}
	return rows, nil
}
