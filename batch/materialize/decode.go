package materialize

import (
	"context"
	"fmt"
	"strings"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/go-json-experiment/json"
)

// columns are what batch reads of a raw file.
var columns = []string{
	"offset", "event_id", "user_id", "item_id", "type", "value", "event_time",
	"session_id", "context", "properties", "category", "price", "reject",
}

// row is a valid event. Ids of users and items and the type are texts of a dictionary.
type row struct {
	event     event.Event
	value     float64
	time, seq int64

	userNo, itemNo, kindNo int32
}

// chunk is some rows of one file.
type chunk struct {
	file     *File
	rows     []row
	skip     []bool // duplicates, set by the first phase
	rejected int64
}

func (c *chunk) total() int64 { return int64(len(c.rows)) + c.rejected }

// dictionary numbers texts in the order of their appearance.
type dictionary struct {
	number map[string]int32
	texts  []string
}

func newDictionary() *dictionary { return &dictionary{number: map[string]int32{}} }

// of returns the number of a text. The text is copied when it is new.
func (d *dictionary) of(s string) int32 {
	if n, known := d.number[s]; known {
		return n
	}
	s = strings.Clone(s)
	n := int32(len(d.texts))
	d.number[s] = n
	d.texts = append(d.texts, s)
	return n
}

// decoder reads files into chunks. Its dictionaries are complete when all files are read.
type decoder struct {
	users, items, kinds, categories *dictionary
	stamps                          []*event.Stamp // by category
}

func newDecoder() *decoder {
	return &decoder{users: newDictionary(), items: newDictionary(), kinds: newDictionary(), categories: newDictionary()}
}

// read hands the chunks of a verified file to emit.
func (d *decoder) read(ctx context.Context, b *bucket.Bucket, f *File, emit func(*chunk) error) error {
	next := f.First
	footer, err := rawparquet.ReadVerified(ctx, b, f.Key, f.Bytes, f.SHA256, columns, func(in rawparquet.Batch) error {
		c, err := d.chunk(f, in, &next)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
		return emit(c)
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

// chunk copies a batch, whose memory is valid during the call only.
func (d *decoder) chunk(f *File, in rawparquet.Batch, next *int64) (*chunk, error) {
	c := &chunk{file: f, rows: make([]row, 0, in.Len), skip: make([]bool, in.Len)}
	ids := newTextColumn(in.EventID)
	for i := range in.Len {
		offset := in.Offset.Value(i)
		if offset < *next || f.Import < 0 && offset >= f.End {
			return nil, fmt.Errorf("offset %d at row %d, expected one in [%d, %d)", offset, i, *next, f.End)
		}
		*next = offset + 1
		if in.Reject.IsValid(i) {
			c.rejected++
			continue
		}
		if in.UserID.IsNull(i) || in.ItemID.IsNull(i) || in.Type.IsNull(i) || in.EventID.IsNull(i) || in.EventTime.IsNull(i) {
			return nil, fmt.Errorf("offset %d is neither rejected nor a whole event", offset)
		}
		r, err := d.row(in, i, f.seq(offset), ids.at(i))
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", offset, err)
		}
		c.rows = append(c.rows, r)
	}
	return c, nil
}

func (d *decoder) row(in rawparquet.Batch, i int, seq int64, eventID string) (row, error) {
	r := row{seq: seq, time: in.EventTime.Value(i)}
	r.userNo = d.users.of(in.UserID.Value(i))
	r.itemNo = d.items.of(in.ItemID.Value(i))
	r.kindNo = d.kinds.of(in.Type.Value(i))
	e := &r.event
	*e = event.Event{
		ID: eventID, UserID: d.users.texts[r.userNo], ItemID: d.items.texts[r.itemNo], Type: d.kinds.texts[r.kindNo],
		Time: event.Millis(r.time),
	}
	if in.Value.IsValid(i) {
		r.value = in.Value.Value(i)
		v := r.value
		e.Value = &v
	}
	if in.SessionID.IsValid(i) {
		e.SessionID = strings.Clone(in.SessionID.Value(i))
	}
	if in.Category.IsValid(i) {
		e.Stamp = d.stamp(in.Category.Value(i))
	}
	if in.Price.IsValid(i) {
		stamp := event.Stamp{}
		if e.Stamp != nil {
			stamp = *e.Stamp
		}
		price := in.Price.Value(i)
		stamp.Price, e.Stamp = &price, &stamp
	}
	return r, attributes(in, i, e)
}

// attributes reads the maps of an event.
func attributes(in rawparquet.Batch, i int, e *event.Event) error {
	for _, m := range []struct {
		name string
		from *array.String
		into any
	}{{"context", in.Context, &e.Context}, {"properties", in.Properties, &e.Properties}} {
		if m.from.IsValid(i) {
			if err := json.Unmarshal([]byte(m.from.Value(i)), m.into); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

func (d *decoder) stamp(category string) *event.Stamp {
	n := int(d.categories.of(category))
	for n >= len(d.stamps) {
		text := d.categories.texts[len(d.stamps)]
		d.stamps = append(d.stamps, &event.Stamp{Category: &text})
	}
	return d.stamps[n]
}

// textColumn is a copy of a column of texts in one piece of memory.
type textColumn struct {
	from  *array.String
	texts string
	base  int
}

func newTextColumn(a *array.String) textColumn {
	t := textColumn{from: a}
	if a.Len() > 0 {
		t.base = a.ValueOffset(0)
		t.texts = string(a.ValueBytes())
	}
	return t
}

func (t textColumn) at(i int) string {
	lo := t.from.ValueOffset(i) - t.base
	return t.texts[lo : lo+t.from.ValueLen(i)]
}
