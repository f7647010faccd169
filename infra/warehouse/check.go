package warehouse

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// CheckRows returns a reader over rows that ends with an ErrSchema at the first
// record that does not belong into the partition: a null in a required column
// or in a list, or another epoch_date. Rows of another schema are refused at
// once.
func CheckRows(t Table, date arrow.Date32, rows array.RecordReader) (array.RecordReader, error) {
	if err := sameFields(t.ArrowSchema(), rows.Schema()); err != nil {
		return nil, err
	}
	return &checkedReader{RecordReader: rows, table: t, date: date}, nil
}

// sameFields compares names and types; whether nulls occur is seen in the rows.
func sameFields(want, got *arrow.Schema) error {
	if want.NumFields() != got.NumFields() {
		return fmt.Errorf("%w: the rows have %d columns, the table %d", ErrSchema, got.NumFields(), want.NumFields())
	}
	for i, w := range want.Fields() {
		if g := got.Field(i); g.Name != w.Name || !arrow.TypeEqual(g.Type, w.Type) {
			return fmt.Errorf("%w: column %d of the rows is %s %s, of the table %s %s",
				ErrSchema, i+1, g.Name, g.Type, w.Name, w.Type)
		}
	}
	return nil
}

type checkedReader struct {
	array.RecordReader
	table Table
	date  arrow.Date32
	rows  int64 // checked so far
	err   error
}

func (r *checkedReader) Next() bool {
	if r.err != nil || !r.RecordReader.Next() {
		return false
	}
	rec := r.Record()
	for i, c := range r.table.Columns {
		if err := r.checkColumn(c, rec.Column(i)); err != nil {
			r.err = fmt.Errorf("%w: column %s: %w", ErrSchema, c.Name, err)
			return false
		}
	}
	r.rows += rec.NumRows()
	return true
}

// Err is nil after a normal end, also for readers that report io.EOF there.
func (r *checkedReader) Err() error {
	if r.err != nil {
		return r.err
	}
	if err := r.RecordReader.Err(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (r *checkedReader) checkColumn(c Column, col arrow.Array) error {
	if !c.nullable() && col.NullN() > 0 {
		return fmt.Errorf("%d nulls in or after row %d, none are allowed", col.NullN(), r.rows+1)
	}
	if list, ok := col.(*array.List); ok && list.ListValues().NullN() > 0 {
		return fmt.Errorf("a list in or after row %d contains a null", r.rows+1)
	}
	if c.Name != PartitionColumn {
		return nil
	}
	for i, d := range col.(*array.Date32).Date32Values() {
		if d != r.date {
			return fmt.Errorf("row %d is of %s, the partition of %s",
				r.rows+int64(i)+1, FormatDate(d), FormatDate(r.date))
		}
	}
	return nil
}
