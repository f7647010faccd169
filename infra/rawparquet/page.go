package rawparquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// chunk decodes one column of one row group after the other. Exactly one of text, ints and floats is set.
type chunk struct {
	index int // in event.RawColumns

	text   *column.Text
	ints   *column.Ints
	floats *column.Floats

	dictionary bool // whether the row group has one

	// Memory that outlives a row group: the column's own slices are nil where they say nothing.
	valid []bool
	ids   []int32
	rows  int
	nulls bool
}

// newChunk makes a column for field, one of Group.fields.
func newChunk(index int, field any) *chunk {
	c := &chunk{index: index}
	switch p := field.(type) {
	case **column.Text:
		c.text = new(column.Text)
		*p = c.text
	case **column.Ints:
		c.ints = new(column.Ints)
		*p = c.ints
	case **column.Floats:
		c.floats = new(column.Floats)
		*p = c.floats
	}
	return c
}

// check compares the type that a file gives the column with what is decoded here.
func (c *chunk) check(d *schema.Column) error {
	t, ok := d.PhysicalType(), false
	switch {
	case c.text != nil:
		ok = t == parquet.Types.ByteArray
	case c.ints != nil:
		ok = t == parquet.Types.Int64 || t == parquet.Types.Int32
	default:
		ok = t == parquet.Types.Double
	}
	if !ok || d.MaxRepetitionLevel() > 0 || d.MaxDefinitionLevel() > 1 {
		return fmt.Errorf("raw file: column %s is %s with levels up to %d and %d, which no raw file has", d.Path(), t, d.MaxDefinitionLevel(), d.MaxRepetitionLevel())
	}
	return nil
}

func (c *chunk) reset() {
	c.rows, c.nulls, c.dictionary = 0, false, false
	c.valid, c.ids = c.valid[:0], c.ids[:0]
	switch {
	case c.text != nil:
		c.text.Values.Reset()
	case c.ints != nil:
		c.ints.Values = c.ints.Values[:0]
	default:
		c.floats.Values = c.floats.Values[:0]
	}
}

// read decodes the pages of a column that has rows rows.
func (c *chunk) read(pages file.PageReader, d *schema.Column, rows int) error {
	c.reset()
	for pages.Next() {
		if err := c.page(pages.Page(), d, rows); err != nil {
			return err
		}
	}
	if err := pages.Err(); err != nil {
		return err
	}
	if c.rows != rows {
		return fmt.Errorf("%d rows read of %d: the file is damaged", c.rows, rows)
	}
	c.finish()
	return nil
}

// finish shows the column's nulls and numbers where there are any.
func (c *chunk) finish() {
	valid := c.valid
	if !c.nulls {
		valid = nil
	}
	switch {
	case c.ints != nil:
		c.ints.Valid = valid
	case c.floats != nil:
		c.floats.Valid = valid
	default:
		c.text.Valid, c.text.IDs = valid, nil
		if c.dictionary {
			c.text.IDs = c.ids
		}
	}
}

func (c *chunk) page(p file.Page, d *schema.Column, rows int) error {
	switch p := p.(type) {
	case *file.DictionaryPage:
		if c.text == nil || c.dictionary || c.rows > 0 {
			return errors.New("a dictionary where no raw file has one")
		}
		c.dictionary = true
		return c.text.Values.AddPlain(p.Data(), int(p.NumValues()), nil)
	case *file.DataPageV1:
		data, levels := p.Data(), []byte(nil)
		if d.MaxDefinitionLevel() > 0 {
			if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
				return errRuns
			}
			end := 4 + int(binary.LittleEndian.Uint32(data))
			levels, data = data[4:end], data[end:]
		}
		return c.data(data, levels, int(p.NumValues()), rows, d, parquet.Encoding(p.Encoding()))
	}
	return fmt.Errorf("a page of type %T, which no raw file has", p)
}

// data decodes a page of n rows.
func (c *chunk) data(data, levels []byte, n, rows int, d *schema.Column, e parquet.Encoding) error {
	if n > rows-c.rows {
		return fmt.Errorf("more than the %d rows of its row group: the file is damaged", rows)
	}
	present, valid := n, []bool(nil)
	if d.MaxDefinitionLevel() > 0 {
		var err error
		if present, err = c.levels(levels, n); err != nil {
			return err
		}
		if present < n {
			valid = c.valid[c.rows:]
		}
	}
	c.rows += n
	switch {
	case e == parquet.Encodings.PlainDict || e == parquet.Encodings.RLEDict:
		return c.numbered(data, present, valid)
	case e != parquet.Encodings.Plain:
		return fmt.Errorf("encoding %s, which no raw file has", e)
	case c.text != nil:
		return c.texts(data, n, valid)
	case d.PhysicalType() == parquet.Types.Int32:
		return plain(&c.ints.Values, data, 4, present, valid, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) })
	case c.ints != nil:
		return plain(&c.ints.Values, data, 8, present, valid, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	}
	return plain(&c.floats.Values, data, 8, present, valid, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
}

// levels reads which of the next n rows are null and returns how many are not. The column has
// a flag for each row from its first null on.
func (c *chunk) levels(data []byte, n int) (present int, err error) {
	before := len(c.valid)
	if !c.nulls {
		c.valid = appendSame(c.valid, true, c.rows-before)
		before = c.rows
	}
	if c.valid, present, err = appendLevels(c.valid, data, n); err != nil {
		return 0, err
	}
	if !c.nulls && present == n {
		c.valid = c.valid[:before]
	}
	c.nulls = c.nulls || present < n
	return present, nil
}

// texts takes over a page of texts. In a column with a dictionary they become entries of it: a writer goes
// on like that when the dictionary has grown too large.
func (c *chunk) texts(data []byte, n int, valid []bool) error {
	first := c.text.Values.Len()
	if err := c.text.Values.AddPlain(data, n, valid); err != nil {
		return err
	}
	for i := range n {
		if !c.dictionary {
			break
		}
		id := int32(first + i)
		if valid != nil && !valid[i] {
			id = -1
		}
		c.ids = append(c.ids, id)
	}
	return nil
}

// numbered reads a page of numbers of the dictionary.
func (c *chunk) numbered(data []byte, present int, valid []bool) error {
	if !c.dictionary {
		return errors.New("numbers of a dictionary that is missing")
	}
	start := len(c.ids)
	var err error
	if c.ids, err = appendIDs(c.ids, data, present, c.text.Values.Len()); err != nil {
		return err
	}
	if valid != nil {
		c.ids = spread(c.ids, start, valid, -1)
	}
	return nil
}

// plain appends the numbers of a page: data holds those that are present, size bytes each.
func plain[T any](to *[]T, data []byte, size, present int, valid []bool, decode func([]byte) T) error {
	if len(data) != size*present {
		return fmt.Errorf("a page of %d bytes for %d numbers", len(data), present)
	}
	start, out := len(*to), *to
	for ; len(data) >= size; data = data[size:] {
		out = append(out, decode(data))
	}
	if valid != nil {
		var null T
		out = spread(out, start, valid, null)
	}
	*to = out
	return nil
}

// spread moves the values from start on to the rows that are valid and fills the others.
func spread[T any](values []T, start int, valid []bool, null T) []T {
	next := len(values) - 1
	values = appendSame(values, null, start+len(valid)-len(values))
	for i := len(valid) - 1; i >= 0; i-- {
		if valid[i] {
			values[start+i] = values[next]
			next--
		} else {
			values[start+i] = null
		}
	}
	return values
}
