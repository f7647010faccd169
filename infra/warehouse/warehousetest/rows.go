package warehousetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/anabranch/anabranch/infra/warehouse"
)

// row is one row by column name; an absent column is null (a list: empty).
type row map[string]any

// records builds rows of a table, cut into records of the given sizes; the rest
// is one more record.
func records(t *testing.T, table warehouse.Table, rows []row, sizes ...int) array.RecordReader {
	t.Helper()
	schema := table.ArrowSchema()
	var recs []arrow.Record
	for len(rows) > 0 {
		n := len(rows)
		if len(sizes) > 0 {
			n, sizes = min(n, sizes[0]), sizes[1:]
		}
		recs = append(recs, record(schema, rows[:n]))
		rows = rows[n:]
	}
	rr, err := array.NewRecordReader(schema, recs)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		rec.Release()
	}
	t.Cleanup(rr.Release)
	return rr
}

func record(schema *arrow.Schema, rows []row) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, r := range rows {
		for i, field := range schema.Fields() {
			appendValue(b.Field(i), r[field.Name])
		}
	}
	return b.NewRecord()
}

func appendValue(b array.Builder, value any) {
	if list, ok := b.(*array.ListBuilder); ok {
		list.Append(true)
		values, _ := value.([]float64)
		list.ValueBuilder().(*array.Float64Builder).AppendValues(values, nil)
		return
	}
	if value == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(value.(string))
	case *array.Int64Builder:
		b.Append(value.(int64))
	case *array.Float64Builder:
		b.Append(value.(float64))
	case *array.BooleanBuilder:
		b.Append(value.(bool))
	case *array.Date32Builder:
		b.Append(value.(arrow.Date32))
	case *array.TimestampBuilder:
		b.Append(value.(arrow.Timestamp))
	default:
		panic(fmt.Sprintf("no value for a %T", b))
	}
}

// render writes rows as one line of JSON each, sorted: a multiset to compare.
func render(t *testing.T, rows []row) []string {
	t.Helper()
	lines := []string{}
	for _, r := range rows {
		line, err := json.Marshal(r) // sorts the columns
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return lines
}

// readAll returns the rows of a partition.
func readAll(t *testing.T, w *warehouse.Warehouse, table warehouse.Table, date arrow.Date32) []row {
	t.Helper()
	rr, err := w.Read(t.Context(), table, date)
	if err != nil {
		t.Fatal(err)
	}
	defer rr.Release()
	if got, want := rr.Schema().String(), table.ArrowSchema().String(); got != want {
		t.Fatalf("the rows have the schema\n%s\nwant\n%s", got, want)
	}
	var rows []row
	for rr.Next() {
		rec := rr.Record()
		for i := range int(rec.NumRows()) {
			r := row{}
			for c, field := range table.ArrowSchema().Fields() {
				if v := valueAt(rec.Column(c), i); v != nil {
					r[field.Name] = v
				}
			}
			rows = append(rows, r)
		}
	}
	if err := rr.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func valueAt(col arrow.Array, i int) any {
	if col.IsNull(i) {
		return nil
	}
	switch col := col.(type) {
	case *array.String:
		return col.Value(i)
	case *array.Int64:
		return col.Value(i)
	case *array.Float64:
		return col.Value(i)
	case *array.Boolean:
		return col.Value(i)
	case *array.Date32:
		return col.Value(i)
	case *array.Timestamp:
		return col.Value(i)
	case *array.List:
		from, to := col.ValueOffsets(i)
		if from == to {
			return nil // as row has it
		}
		return slices.Clone(col.ListValues().(*array.Float64).Float64Values()[from:to])
	default:
		panic(fmt.Sprintf("no value in a %T", col))
	}
}
