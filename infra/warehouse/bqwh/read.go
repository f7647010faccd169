package bqwh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/civil"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/api/iterator"

	"github.com/anabranch/anabranch/infra/warehouse"
)

// batchRows is the number of rows of a record.
const batchRows = 10_000

// name is the table's name in SQL.
func (d *driver) name(table string) string {
	return fmt.Sprintf("`%s.%s.%s`", d.dataset.ProjectID, d.dataset.DatasetID, table)
}

func (d *driver) Partitions(ctx context.Context, table string) ([]warehouse.Partition, error) {
	it, err := d.client.Query("SELECT epoch_date, COUNT(*) FROM " + d.name(table) + " GROUP BY epoch_date").Read(ctx)
	if err != nil {
		return nil, noTable(missingTable(err))
	}
	var partitions []warehouse.Partition
	for {
		var row []bigquery.Value
		err := it.Next(&row)
		if errors.Is(err, iterator.Done) {
			return partitions, nil
		}
		if err != nil {
			return nil, err
		}
		date, okDate := row[0].(civil.Date)
		rows, okRows := row[1].(int64)
		if !okDate || !okRows {
			return nil, fmt.Errorf("unexpected answer %T, %T", row[0], row[1])
		}
		partitions = append(partitions, warehouse.Partition{Date: fromCivil(date), Rows: rows})
	}
}

func fromCivil(d civil.Date) arrow.Date32 { return arrow.Date32FromTime(d.In(time.UTC)) }

func (d *driver) Read(ctx context.Context, t warehouse.Table, date arrow.Date32) (array.RecordReader, error) {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = "`" + c.Name + "`"
	}
	q := d.client.Query("SELECT " + strings.Join(columns, ", ") + " FROM " + d.name(t.Name) + " WHERE epoch_date = @date")
	q.Parameters = []bigquery.QueryParameter{{Name: "date", Value: civil.DateOf(date.ToTime())}}
	it, err := q.Read(ctx)
	if err != nil {
		return nil, noTable(missingTable(err))
	}
	r := &reader{rows: it, builder: array.NewRecordBuilder(memory.DefaultAllocator, t.ArrowSchema())}
	r.refs.Store(1)
	return r, nil
}

// reader makes records of the rows of a query.
type reader struct {
	refs    atomic.Int64
	rows    *bigquery.RowIterator
	builder *array.RecordBuilder
	current arrow.Record
	done    bool
	err     error
}

func (r *reader) Schema() *arrow.Schema { return r.builder.Schema() }
func (r *reader) Record() arrow.Record  { return r.current }
func (r *reader) Err() error            { return r.err }
func (r *reader) Retain()               { r.refs.Add(1) }

func (r *reader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.builder.Release()
	}
}

func (r *reader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func (r *reader) Next() bool {
	r.drop()
	n := 0
	for n < batchRows && !r.done && r.err == nil {
		var row []bigquery.Value
		switch err := r.rows.Next(&row); {
		case errors.Is(err, iterator.Done):
			r.done = true
		case err != nil:
			r.err = err
		default:
			r.err = r.append(row)
			n++
		}
	}
	if n == 0 || r.err != nil {
		return false
	}
	r.current = r.builder.NewRecord()
	return true
}

func (r *reader) append(row []bigquery.Value) error {
	for i, value := range row {
		if err := appendValue(r.builder.Field(i), value); err != nil {
			return fmt.Errorf("column %s: %w", r.Schema().Field(i).Name, err)
		}
	}
	return nil
}

func appendValue(b array.Builder, value bigquery.Value) error {
	switch v := value.(type) {
	case nil:
		b.AppendNull()
		return nil
	case string:
		return appendTo(b, func(b *array.StringBuilder) { b.Append(v) })
	case int64:
		return appendTo(b, func(b *array.Int64Builder) { b.Append(v) })
	case float64:
		return appendTo(b, func(b *array.Float64Builder) { b.Append(v) })
	case bool:
		return appendTo(b, func(b *array.BooleanBuilder) { b.Append(v) })
	case civil.Date:
		return appendTo(b, func(b *array.Date32Builder) { b.Append(fromCivil(v)) })
	case time.Time:
		return appendTo(b, func(b *array.TimestampBuilder) { b.Append(arrow.Timestamp(v.UnixMicro())) })
	case []bigquery.Value:
		list, ok := b.(*array.ListBuilder)
		if !ok {
			return fmt.Errorf("a list for a %T", b)
		}
		list.Append(true)
		for _, element := range v {
			if err := appendValue(list.ValueBuilder(), element); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("unexpected value of type %T", value)
}

// appendTo appends where the builder is of the value's type.
func appendTo[B array.Builder](b array.Builder, add func(B)) error {
	typed, ok := b.(B)
	if !ok {
		return fmt.Errorf("a value for a %T instead of a %T", typed, b)
	}
	add(typed)
	return nil
}
