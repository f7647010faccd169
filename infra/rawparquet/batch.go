package rawparquet

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/anabranch/anabranch/schemas/event"
)

// Batch is a slice of a raw file by columns, without copies of the decoded data. A column that was
// not asked for is nil. Times are Unix milliseconds.
type Batch struct {
	Len int // rows

	// Never null.
	TopicID   *array.String
	Partition *array.Int32
	Offset    *array.Int64
	LogTime   *array.Int64

	// Null in rejected rows.
	EventID   *array.String
	UserID    *array.String
	ItemID    *array.String
	Type      *array.String
	EventTime *array.Int64

	// Null where the event has none, and in rejected rows.
	Value      *array.Float64
	SessionID  *array.String
	Context    *array.String // JSON object of texts
	Properties *array.String // JSON object of scalars
	Category   *array.String
	Price      *array.Float64

	// Null in valid rows.
	Reject  *array.String
	Key     *array.Binary
	Codec   *array.Binary
	Payload *array.Binary
}

// newBatch gives arrays of equal length, which are the columns want of event.RawColumns, their types.
func newBatch(columns []arrow.Array, want []int) (Batch, error) {
	b := Batch{Len: columns[0].Len()}
	into := [...]any{
		&b.TopicID, &b.Partition, &b.Offset, &b.LogTime, &b.EventID, &b.UserID, &b.ItemID, &b.Type, &b.Value,
		&b.EventTime, &b.SessionID, &b.Context, &b.Properties, &b.Category, &b.Price, &b.Reject, &b.Key, &b.Codec, &b.Payload,
	}
	for i, column := range want {
		if err := assign(into[column], columns[i]); err != nil {
			return Batch{}, fmt.Errorf("column %s: %w", event.RawColumns[column], err)
		}
	}
	return b, nil
}

func assign(into any, a arrow.Array) error {
	ok := true
	switch p := into.(type) {
	case **array.String:
		*p, ok = a.(*array.String)
	case **array.Int32:
		*p, ok = a.(*array.Int32)
	case **array.Float64:
		*p, ok = a.(*array.Float64)
	case **array.Binary:
		*p, ok = a.(*array.Binary)
	case **array.Int64:
		if t, isTime := a.(*array.Timestamp); isTime {
			a = millis(t)
		}
		*p, ok = a.(*array.Int64)
	}
	if !ok {
		return fmt.Errorf("its type is %s", a.DataType())
	}
	return nil
}

// millis views timestamps as the integers that they are.
func millis(t *array.Timestamp) *array.Int64 {
	d := t.Data()
	return array.NewInt64Data(array.NewData(arrow.PrimitiveTypes.Int64, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset()))
}

// Rows yields the batch as rows, which stay valid after the batch. All columns must have been read.
// It copies, so it is for tests and small uses.
func (b Batch) Rows(yield func(event.Raw) bool) {
	for i := range b.Len {
		if !yield(b.row(i)) {
			return
		}
	}
}

func (b Batch) row(i int) event.Raw {
	r := event.Raw{
		TopicID: strings.Clone(b.TopicID.Value(i)), Partition: b.Partition.Value(i), Offset: b.Offset.Value(i), LogTime: b.LogTime.Value(i),
		EventID: text(b.EventID, i), UserID: text(b.UserID, i), ItemID: text(b.ItemID, i), Type: text(b.Type, i),
		Value: pick(b.Value, i), EventTime: pick(b.EventTime, i), SessionID: text(b.SessionID, i),
		Context: text(b.Context, i), Properties: text(b.Properties, i), Category: text(b.Category, i),
		Price: pick(b.Price, i), Reject: text(b.Reject, i),
	}
	r.Key, r.Codec, r.Payload = raw(b.Key, i), raw(b.Codec, i), raw(b.Payload, i)
	return r
}

func raw(a *array.Binary, i int) *string {
	if a.IsNull(i) {
		return nil
	}
	s := string(a.Value(i))
	return &s
}

// values is an arrow array of values that hold no memory of the batch.
type values[T any] interface {
	IsValid(i int) bool
	Value(i int) T
}

func pick[T any](c values[T], i int) *T {
	if !c.IsValid(i) {
		return nil
	}
	v := c.Value(i)
	return &v
}

func text(c *array.String, i int) *string {
	if !c.IsValid(i) {
		return nil
	}
	s := strings.Clone(c.Value(i))
	return &s
}
