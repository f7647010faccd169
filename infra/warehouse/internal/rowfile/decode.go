package rowfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// Decode returns the records of a file that Encode made, one a row group.
// Verify its checksum first: the Parquet library can return wrong rows from a
// damaged file. As a second line of defence, panics become errors and the rows
// are counted against the footer. The caller releases the records.
func Decode(ctx context.Context, data []byte) (records []arrow.Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet reader panicked: %v", p)
		}
		if err != nil {
			ReleaseRecords(records)
			records = nil
		}
	}()
	pf, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("open Parquet file: %w", err)
	}
	defer func() { err = errors.Join(err, pf.Close()) }()
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, fmt.Errorf("open Parquet file: %w", err)
	}
	schema, err := flatSchema(r)
	if err != nil {
		return nil, err
	}
	var rows int64
	for group := range pf.NumRowGroups() {
		rec, err := readGroup(ctx, r, schema, group)
		if err != nil {
			return records, fmt.Errorf("row group %d: %w", group, err)
		}
		records = append(records, rec)
		rows += rec.NumRows()
	}
	if rows != pf.NumRows() {
		return records, fmt.Errorf("read %d rows, the footer says %d", rows, pf.NumRows())
	}
	return records, nil
}

// flatSchema returns the schema of a file of plain columns and lists of them.
// Others are not ours, and the library reads structs in goroutines of its own,
// where a panic cannot be recovered.
func flatSchema(r *pqarrow.FileReader) (*arrow.Schema, error) {
	schema, err := r.Schema()
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	for _, field := range schema.Fields() {
		dt := field.Type
		if list, ok := dt.(*arrow.ListType); ok {
			dt = list.Elem()
		}
		if _, nested := dt.(arrow.NestedType); nested {
			return nil, fmt.Errorf("column %s has the type %s", field.Name, field.Type)
		}
	}
	return schema, nil
}

// readGroup reads a row group column by column in this goroutine; the library's
// readers of whole records start others even where told not to.
func readGroup(ctx context.Context, r *pqarrow.FileReader, schema *arrow.Schema, group int) (arrow.Record, error) {
	rows := r.ParquetReader().MetaData().RowGroup(group).NumRows()
	if rows < 0 || rows > groupRows {
		return nil, fmt.Errorf("it has %d rows, at most %d were ever written", rows, groupRows)
	}
	columns := make([]arrow.Array, schema.NumFields())
	defer releaseAll(columns)
	for i, field := range schema.Fields() {
		column, err := readColumn(ctx, r.RowGroup(group).Column(i), field.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", field.Name, err)
		}
		columns[i] = column
		if int64(column.Len()) != rows {
			return nil, fmt.Errorf("column %s has %d rows, the footer says %d", field.Name, column.Len(), rows)
		}
	}
	return array.NewRecord(schema, columns, rows), nil
}

func readColumn(ctx context.Context, r pqarrow.ColumnChunkReader, dt arrow.DataType) (arrow.Array, error) {
	chunked, err := r.Read(ctx)
	if err != nil {
		return nil, err
	}
	defer chunked.Release()
	if len(chunked.Chunks()) == 0 {
		return array.MakeArrayOfNull(memory.DefaultAllocator, dt, 0), nil
	}
	return array.Concatenate(chunked.Chunks(), memory.DefaultAllocator)
}

// ReleaseRecords releases all of them.
func ReleaseRecords(records []arrow.Record) {
	for _, rec := range records {
		rec.Release()
	}
}
