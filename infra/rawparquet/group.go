package rawparquet

import (
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// Group is a row group of a raw file by columns, decoded into memory that the Scanner reuses. A column
// that was not asked for is nil.
type Group struct {
	Rows int

	// Never null.
	TopicID   *column.Text
	Partition *column.Ints
	Offset    *column.Ints
	LogTime   *column.Ints

	// Null in rejected rows.
	EventID   *column.Text
	UserID    *column.Text
	ItemID    *column.Text
	Type      *column.Text
	EventTime *column.Ints

	// Null where the event has none, and in rejected rows.
	Value      *column.Floats
	SessionID  *column.Text
	Context    *column.Text // JSON object of texts
	Properties *column.Text // JSON object of scalars
	Category   *column.Text
	Price      *column.Floats

	// Null in valid rows.
	Reject  *column.Text
	Key     *column.Text // any bytes, as the next two
	Codec   *column.Text
	Payload *column.Text
}

// fields are the columns in the order of event.RawColumns: pointers to *column.Text, *column.Ints or *column.Floats.
func (g *Group) fields() []any {
	return []any{
		&g.TopicID, &g.Partition, &g.Offset, &g.LogTime, &g.EventID, &g.UserID, &g.ItemID, &g.Type, &g.Value,
		&g.EventTime, &g.SessionID, &g.Context, &g.Properties, &g.Category, &g.Price, &g.Reject, &g.Key, &g.Codec, &g.Payload,
	}
}
