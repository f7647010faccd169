package materialize

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/schemas/tables"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Daily is what the warehouse gets: the rows of every table by partition, merged from sorted runs
// while they are read.
type Daily struct {
	runs map[string][]*run // by table
}

func newDaily(users []userRuns, items []itemRuns) *Daily {
	d := &Daily{runs: map[string][]*run{}}
	add := func(t tables.Table, r *run) { d.runs[t.Name] = append(d.runs[t.Name], r) }
	for _, u := range users {
		add(tables.UserDaily(), u.daily)
	}
	for _, i := range items {
		add(tables.ItemDaily(), i.daily)
		add(tables.ItemPopularity(), i.popularity)
	}
	return d
}

// dailyCursor walks through the rows of one table, date after date.
type dailyCursor struct {
	table warehouse.Table
	from  *sorted.Merger
	more  bool
	date  int32 // of the row at hand
	rest  []byte
}

// cursor starts at the first row of a table. A nil Daily has no rows.
func (d *Daily) cursor(t tables.Table) *dailyCursor {
	c := &dailyCursor{table: Table(t)}
	if d != nil {
		c.from = sorted.Merge(sources(d.runs[t.Name])...)
		c.next()
	}
	return c
}

func (c *dailyCursor) next() {
	if c.more = c.from.Next(); c.more {
		c.date, c.rest = cutDay(c.from.Key())
	}
}

// rows returns a reader of the rows of a date, for ascending dates.
func (c *dailyCursor) rows(date int32) *dailyReader {
	for c.more && c.date < date {
		c.next()
	}
	schema := c.table.ArrowSchema()
	r := &dailyReader{cursor: c, date: date, schema: schema, rows: array.NewRecordBuilder(memory.DefaultAllocator, schema)}
	r.references.Store(1)
	return r
}

// dailyReader implements array.RecordReader over the rows of one date.
type dailyReader struct {
	cursor     *dailyCursor
	date       int32
	schema     *arrow.Schema
	rows       *array.RecordBuilder
	record     arrow.Record
	references atomic.Int64
	err        error
}

var _ array.RecordReader = (*dailyReader)(nil)

// dailyBatch is how many rows a record has.
const dailyBatch = 1 << 15

// Retain implements array.RecordReader.
func (r *dailyReader) Retain() { r.references.Add(1) }

// Release implements array.RecordReader.
func (r *dailyReader) Release() {
	if r.references.Add(-1) == 0 {
		r.drop()
		r.rows.Release()
	}
}

func (r *dailyReader) drop() {
	if r.record != nil {
		r.record.Release()
		r.record = nil
	}
}

// Schema implements array.RecordReader.
func (r *dailyReader) Schema() *arrow.Schema { return r.schema }

// Record implements array.RecordReader.
func (r *dailyReader) Record() arrow.Record { return r.record }

// Err implements array.RecordReader.
func (r *dailyReader) Err() error {
	if r.err == nil && r.cursor.from != nil {
		return r.cursor.from.Err()
	}
	return r.err
}

// Next implements array.RecordReader.
func (r *dailyReader) Next() bool {
	r.drop()
	n := 0
	for ; n < dailyBatch && r.err == nil && r.cursor.more && r.cursor.date == r.date; n++ {
		r.err = r.row()
		r.cursor.next()
	}
	if n == 0 || r.Err() != nil {
		return false
	}
	r.record = r.rows.NewRecord()
	return true
}

// row appends the row at hand.
func (r *dailyReader) row() error {
	events, users, sum := cutSums(r.cursor.from.Value())
	r.dates(0, r.date)
	id := r.cursor.rest
	switch r.cursor.table.Name {
	case tables.ItemPopularity().Name:
		r.text(1, id)
		r.number(2, events)
		r.number(3, users)
		r.rows.Field(4).(*array.Float64Builder).Append(sum)
		return nil
	case tables.UserDaily().Name, tables.ItemDaily().Name:
	default:
		return fmt.Errorf("no rows are made for the table %s", r.cursor.table.Name)
	}
	day, id := cutDay(id)
	id, kind, _ := bytes.Cut(id, []byte{0})
	r.dates(1, day)
	r.text(2, id)
	r.text(3, kind)
	r.number(4, events)
	last := 5
	if r.cursor.table.Name == tables.ItemDaily().Name {
		r.number(5, users)
		last = 6
	}
	r.rows.Field(last).(*array.Float64Builder).Append(sum)
	return nil
}

func (r *dailyReader) dates(column int, day int32) {
	r.rows.Field(column).(*array.Date32Builder).Append(arrow.Date32(day))
}

func (r *dailyReader) text(column int, b []byte) {
	r.rows.Field(column).(*array.StringBuilder).BinaryBuilder.Append(b)
}

func (r *dailyReader) number(column int, n int64) {
	r.rows.Field(column).(*array.Int64Builder).Append(n)
}
