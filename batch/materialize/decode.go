package materialize

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/infra/rawparquet/column"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
)

// dictionaries number what rows name. Categories start with "", which is none.
type dictionaries struct {
	items, kinds, categories *dictionary
}

func newDictionaries() dictionaries {
	d := dictionaries{items: &dictionary{}, kinds: &dictionary{}, categories: &dictionary{}}
	d.categories.add(hashText(nil), nil)
	return d
}

// decoder reads verified files into columns. It serves one worker.
type decoder struct {
	layout  *layout
	scanner *rawparquet.Scanner
	rows    *spill.Columns
	items   numberer
	kinds   numberer
	cats    numberer

	itemHash []uint64 // of each row
	valid    []int32  // rows of the group at hand
	rejected int64
}

func newDecoder(l *layout, d dictionaries) (*decoder, error) {
	s, err := rawparquet.NewScanner(l.columns)
	if err != nil {
		return nil, err
	}
	return &decoder{
		layout: l, scanner: s, rows: spill.NewColumns(intColumns, l.floats, l.texts),
		items: numberer{cache: cache{of: d.items}}, kinds: numberer{cache: cache{of: d.kinds}}, cats: numberer{cache: cache{of: d.categories}},
	}, nil
}

// reset forgets the rows.
func (d *decoder) reset() {
	d.rows.Reset()
	d.itemHash = d.itemHash[:0]
}

// read decodes a file, whose first row has the ordinal first, and calls full after each row group.
func (d *decoder) read(ctx context.Context, b *bucket.Bucket, f *File, number int, first int64, full func() error) error {
	next, row := f.First, first
	footer, err := d.scanner.ScanVerified(ctx, b, f.Key, f.Bytes, f.SHA256, func(g *rawparquet.Group) error {
		if err := d.group(f, number, g, &next, row); err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
		row += int64(g.Rows)
		return full()
	})
	if err != nil {
		return err
	}
	if err := f.check(footer); err != nil {
		return fmt.Errorf("%s: %w", f.Key, err)
	}
	return nil
}

// check compares what a file says of itself with what the index says of it.
func (f *File) check(footer rawparquet.Footer) error {
	s, err := footer.Span()
	if err != nil {
		return err
	}
	if s.Topic != f.Topic || s.Rows != f.Rows {
		return fmt.Errorf("the file has %d rows of %s, its index says %d rows of %s", s.Rows, s.Topic, f.Rows, f.Topic)
	}
	if s.Validator != event.ValidatorVersion {
		return fmt.Errorf("the file was written by validator version %d, this build has version %d: it judges records differently", s.Validator, event.ValidatorVersion)
	}
	if f.Import < 0 && (s.Partition != f.Partition || s.Epoch != f.Epoch || s.First != f.First || s.End != f.End) {
		return fmt.Errorf("the file covers epoch %d, partition %d, offsets [%d, %d); its index says epoch %d, partition %d, offsets [%d, %d)",
			s.Epoch, s.Partition, s.First, s.End, f.Epoch, f.Partition, f.First, f.End)
	}
	return nil
}

// group appends the valid rows of a row group, a column at a time. Next is the lowest offset that may follow.
func (d *decoder) group(f *File, number int, g *rawparquet.Group, next *int64, first int64) error {
	if err := d.choose(f, g, next); err != nil {
		return err
	}
	c := d.rows
	at := c.Rows
	c.Rows += len(d.valid)
	for i := range c.Ints {
		c.Ints[i] = extend(c.Ints[i], len(d.valid))
	}
	row, file, offset := c.Ints[colRow][at:], c.Ints[colFile][at:], c.Ints[colOffset][at:]
	time, event, user := c.Ints[colTime][at:], c.Ints[colEvent][at:], c.Ints[colUser][at:]
	for n, i := range d.valid {
		row[n], file[n], offset[n] = first+int64(i), int64(number), g.Offset.Values[i]
		time[n] = g.EventTime.Values[i]
		event[n] = int64(hashText(g.EventID.At(int(i))))
		id := g.UserID.At(int(i))
		user[n] = int64(hashText(id))
		c.Texts[colUserID].Add(id)
	}
	d.itemHash = extend(d.itemHash, len(d.valid))
	d.items.number(g.ItemID, d.valid, c.Ints[colItem][at:], d.itemHash[at:])
	d.kinds.number(g.Type, d.valid, c.Ints[colKind][at:], nil)
	d.cats.number(g.Category, d.valid, c.Ints[colCategory][at:], nil)
	c.Floats[colValue] = appendFloats(c.Floats[colValue], g.Value, d.valid)
	c.Floats[colPrice] = appendFloats(c.Floats[colPrice], g.Price, d.valid)
	if g.SessionID != nil {
		for _, i := range d.valid {
			c.Texts[colSession].Add(g.SessionID.At(int(i)))
		}
	}
	return d.addExtras(g)
}

// choose finds the valid rows of a group.
func (d *decoder) choose(f *File, g *rawparquet.Group, next *int64) error {
	d.valid = d.valid[:0]
	for i := range g.Rows {
		offset := g.Offset.Values[i]
		if offset < *next || f.Import < 0 && offset >= f.End {
			return fmt.Errorf("offset %d at row %d, expected one in [%d, %d)", offset, i, *next, f.End)
		}
		*next = offset + 1
		if !g.Reject.Null(i) {
			d.rejected++
			continue
		}
		if g.UserID.Null(i) || g.ItemID.Null(i) || g.Type.Null(i) || g.EventID.Null(i) || g.EventTime.Null(i) {
			return fmt.Errorf("offset %d is neither rejected nor a whole event", offset)
		}
		d.valid = append(d.valid, int32(i))
	}
	return nil
}

// extend lengthens a slice by n entries of any content.
func extend[T any](s []T, n int) []T { return slices.Grow(s, n)[:len(s)+n] }

// appendFloats appends the numbers of an optional column, NaN where one is absent.
func appendFloats(into []float64, c *column.Floats, rows []int32) []float64 {
	absent := math.NaN()
	for _, i := range rows {
		if c == nil || c.Null(int(i)) {
			into = append(into, absent)
		} else {
			into = append(into, c.Values[i])
		}
	}
	return into
}

// addExtras appends the declared fields of context and properties of the valid rows.
func (d *decoder) addExtras(g *rawparquet.Group) error {
	if len(d.layout.extras) == 0 {
		return nil
	}
	for _, i := range d.valid {
		texts, err := attributes[string](g.Context, int(i))
		if err != nil {
			return fmt.Errorf("offset %d: context: %w", g.Offset.Values[i], err)
		}
		values, err := attributes[any](g.Properties, int(i))
		if err != nil {
			return fmt.Errorf("offset %d: properties: %w", g.Offset.Values[i], err)
		}
		for n := range d.layout.extras {
			x := &d.layout.extras[n]
			if x.context {
				d.addExtra(x, x.field.Operand(texts[x.key]))
			} else {
				d.addExtra(x, x.field.Operand(values[x.key]))
			}
		}
	}
	return nil
}

// attributes decodes a JSON object of an optional column.
func attributes[T any](c *column.Text, i int) (map[string]T, error) {
	if c == nil || c.Null(i) {
		return nil, nil
	}
	var m map[string]T
	err := json.Unmarshal(c.At(i), &m)
	return m, err
}

// addExtra appends an operand. Integers of a declared type are below 2^53, so a float holds them.
func (d *decoder) addExtra(x *extra, o agg.Operand) {
	if x.text {
		d.rows.Texts[x.column].Add([]byte(o.Text))
		return
	}
	v := math.NaN()
	switch o.Kind {
	case agg.Int:
		v = float64(o.Int)
	case agg.Float:
		v = o.Float
	}
	d.rows.Floats[x.column] = append(d.rows.Floats[x.column], v)
}

// numberer numbers the texts of a column. Where they are those of a Parquet dictionary, each is looked
// up once a row group.
type numberer struct {
	cache   cache
	numbers []uint32 // by dictionary entry
	hashes  []uint64
}

// number writes the number, and where hashes is not nil the hash, of each of the rows. Null is number 0, that
// of "" where the dictionary has it; a column that was not read is all null.
func (n *numberer) number(c *column.Text, rows []int32, into []int64, hashes []uint64) {
	switch {
	case c == nil:
		clear(into[:len(rows)])
	case c.IDs == nil:
		n.each(c, rows, into, hashes)
	default:
		n.byEntry(c, rows, into, hashes)
	}
}

func (n *numberer) each(c *column.Text, rows []int32, into []int64, hashes []uint64) {
	if hashes == nil {
		n.hashes = extend(n.hashes[:0], len(rows))
		hashes = n.hashes
	}
	for at, i := range rows {
		hashes[at] = hashText(c.At(int(i)))
	}
	for at, i := range rows {
		into[at] = 0
		if !c.Null(int(i)) {
			into[at] = int64(n.cache.number(hashes[at], c.At(int(i))))
		}
	}
}

func (n *numberer) byEntry(c *column.Text, rows []int32, into []int64, hashes []uint64) {
	n.numbers, n.hashes = n.numbers[:0], n.hashes[:0]
	for i := range c.Values.Len() {
		h := hashText(c.Values.At(i))
		n.hashes = append(n.hashes, h)
		n.numbers = append(n.numbers, n.cache.number(h, c.Values.At(i)))
	}
	for at, i := range rows {
		into[at] = 0
		if id := c.IDs[i]; id >= 0 {
			into[at] = int64(n.numbers[id])
			if hashes != nil {
				hashes[at] = n.hashes[id]
			}
		}
	}
}
