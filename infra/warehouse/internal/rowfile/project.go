package rowfile

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Project gives records the columns of a schema: those they lack are null, or
// empty lists; those that the schema lacks are left out. The caller still
// releases records, and releases the reader.
func Project(schema *arrow.Schema, records []arrow.Record) (array.RecordReader, error) {
	projected := make([]arrow.Record, 0, len(records))
	defer func() { ReleaseRecords(projected) }()
	for _, rec := range records {
		p, err := project(schema, rec)
		if err != nil {
			return nil, err
		}
		projected = append(projected, p)
	}
	return array.NewRecordReader(schema, projected)
}

func project(schema *arrow.Schema, rec arrow.Record) (arrow.Record, error) {
	columns := make([]arrow.Array, schema.NumFields())
	defer releaseAll(columns)
	for i, field := range schema.Fields() {
		found := rec.Schema().FieldIndices(field.Name)
		if len(found) == 0 {
			columns[i] = absent(field.Type, int(rec.NumRows()))
			continue
		}
		column, err := retype(rec.Column(found[0]), field.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", field.Name, err)
		}
		columns[i] = column
	}
	return array.NewRecord(schema, columns, rec.NumRows()), nil
}

// retype gives a list its declared type: Parquet does not keep the name of the
// element, and Arrow v17 not that it is never null.
func retype(column arrow.Array, dt arrow.DataType) (arrow.Array, error) {
	list, isList := dt.(*arrow.ListType)
	if got, ok := column.DataType().(*arrow.ListType); isList && ok && arrow.TypeEqual(got.Elem(), list.Elem()) {
		old := column.Data()
		data := array.NewData(dt, old.Len(), old.Buffers(), old.Children(), old.NullN(), old.Offset())
		defer data.Release()
		return array.MakeFromData(data), nil
	}
	if !arrow.TypeEqual(column.DataType(), dt) {
		return nil, fmt.Errorf("the file has %s, the table %s", column.DataType(), dt)
	}
	column.Retain()
	return column, nil
}

// absent is a column that a file was written without.
func absent(dt arrow.DataType, rows int) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, dt)
	defer b.Release()
	if list, ok := b.(*array.ListBuilder); ok {
		for range rows {
			list.Append(true)
		}
	} else {
		b.AppendNulls(rows)
	}
	return b.NewArray()
}
