package materialize

import (
	"context"
	"fmt"
	"math"

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

// group appends the valid rows of a row group. Next is the lowest offset that may follow.
func (d *decoder) group(f *File, number int, g *rawparquet.Group, next *int64, first int64) error {
	d.kinds.begin(g.Type)
	d.items.begin(g.ItemID)
	if g.Category != nil {
		d.cats.begin(g.Category)
	}
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
		if err := d.row(g, i, number, first+int64(i)); err != nil {
			return fmt.Errorf("offset %d: %w", offset, err)
		}
	}
	return nil
}

// row appends one valid row.
func (d *decoder) row(g *rawparquet.Group, i, file int, ordinal int64) error {
	c := d.rows
	user := g.UserID.At(i)
	item, itemHash := d.items.at(i)
	kind, _ := d.kinds.at(i)
	category := uint32(0)
	if g.Category != nil && !g.Category.Null(i) {
		category, _ = d.cats.at(i)
	}
	ints := [intColumns]int64{
		colRow: ordinal, colFile: int64(file), colOffset: g.Offset.Values[i], colTime: g.EventTime.Values[i],
		colKind: int64(kind), colCategory: int64(category), colItem: int64(item),
		colEvent: int64(hashText(g.EventID.At(i))), colUser: int64(hashText(user)),
	}
	for n, v := range ints {
		c.Ints[n] = append(c.Ints[n], v)
	}
	d.itemHash = append(d.itemHash, itemHash)
	c.Floats[colValue] = append(c.Floats[colValue], float(g.Value, i))
	c.Floats[colPrice] = append(c.Floats[colPrice], float(g.Price, i))
	c.Texts[colUserID].Add(user)
	if g.SessionID != nil {
		c.Texts[colSession].Add(g.SessionID.At(i))
	}
	c.Rows++
	return d.addExtras(g, i)
}

// float returns a number of an optional column, NaN where it is absent.
func float(c *column.Floats, i int) float64 {
	if c == nil || c.Null(i) {
		return math.NaN()
	}
	return c.Values[i]
}

// addExtras appends the declared fields of context and properties.
func (d *decoder) addExtras(g *rawparquet.Group, i int) error {
	if len(d.layout.extras) == 0 {
		return nil
	}
	var texts map[string]string
	var values map[string]any
	for _, m := range []struct {
		name string
		from *column.Text
		into any
	}{{"context", g.Context, &texts}, {"properties", g.Properties, &values}} {
		if m.from == nil || m.from.Null(i) {
			continue
		}
		if err := json.Unmarshal(m.from.At(i), m.into); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	for n := range d.layout.extras {
		x := &d.layout.extras[n]
		var o agg.Operand
		if x.context {
			o = x.field.Operand(texts[x.key])
		} else {
			o = x.field.Operand(values[x.key])
		}
		d.addExtra(x, o)
	}
	return nil
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

// numberer numbers the texts of one column of a row group. Where they are those of a Parquet
// dictionary, each is looked up once.
type numberer struct {
	cache   cache
	column  *column.Text
	numbers []uint32 // by dictionary entry
	hashes  []uint64
}

func (n *numberer) begin(c *column.Text) {
	n.column = c
	n.numbers, n.hashes = n.numbers[:0], n.hashes[:0]
	if c.IDs == nil {
		return
	}
	for i := range c.Values.Len() {
		h := hashText(c.Values.At(i))
		n.hashes = append(n.hashes, h)
		n.numbers = append(n.numbers, n.cache.number(h, c.Values.At(i)))
	}
}

// at returns the number and the hash of the text of row i, which is not null.
func (n *numberer) at(i int) (uint32, uint64) {
	if n.column.IDs != nil {
		id := n.column.IDs[i]
		return n.numbers[id], n.hashes[id]
	}
	text := n.column.At(i)
	h := hashText(text)
	return n.cache.number(h, text), h
}
