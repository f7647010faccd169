package rawparquet

import (
	"fmt"

	"github.com/xitongsys/parquet-go/common"
	"github.com/xitongsys/parquet-go/layout"
	"github.com/xitongsys/parquet-go/schema"

	"github.com/anabranch/anabranch/schemas/event"
)

// columns turns rows into the library's tables, by the library's internal path of the column. The
// order of the fillers is that of event.RawColumns, which checkColumns has verified.
func columns(rows []event.Raw, sh *schema.SchemaHandler) (map[string]*layout.Table, error) {
	tables := make(map[string]*layout.Table, len(event.RawColumns))
	required := make([]int32, len(rows)) // levels of a column without nulls, shared: never written to
	for i := range event.RawColumns {
		t, err := table(sh, i+1)
		if err != nil {
			return nil, err
		}
		t.Values, t.RepetitionLevels, t.DefinitionLevels = make([]any, len(rows)), required, required
		if t.MaxDefinitionLevel > 0 {
			t.DefinitionLevels = make([]int32, len(rows))
		}
		fillers[i](rows, t.Values, t.DefinitionLevels)
		tables[sh.IndexMap[int32(i+1)]] = t
	}
	return tables, nil
}

func table(sh *schema.SchemaHandler, element int) (*layout.Table, error) {
	path := common.StrToPath(sh.IndexMap[int32(element)])
	level, err := sh.MaxDefinitionLevel(path)
	if err != nil {
		return nil, fmt.Errorf("column %v: %w", path, err)
	}
	t := layout.NewEmptyTable()
	t.Path, t.MaxDefinitionLevel = path, level
	t.Schema, t.Info = sh.SchemaElements[element], sh.Infos[element]
	t.RepetitionType = t.Schema.GetRepetitionType()
	return t, nil
}

// A filler copies one field of every row. Null is a nil value of level 0, anything else has level 1.
type filler func(rows []event.Raw, values []any, levels []int32)

var fillers = [...]filler{
	required(func(r *event.Raw) string { return r.TopicID }),
	required(func(r *event.Raw) int32 { return r.Partition }),
	required(func(r *event.Raw) int64 { return r.Offset }),
	required(func(r *event.Raw) int64 { return r.LogTime }),
	optional(func(r *event.Raw) *string { return r.EventID }),
	optional(func(r *event.Raw) *string { return r.UserID }),
	optional(func(r *event.Raw) *string { return r.ItemID }),
	optional(func(r *event.Raw) *string { return r.Type }),
	floats(func(r *event.Raw) *float64 { return r.Value }),
	optional(func(r *event.Raw) *int64 { return r.EventTime }),
	optional(func(r *event.Raw) *string { return r.SessionID }),
	optional(func(r *event.Raw) *string { return r.Context }),
	optional(func(r *event.Raw) *string { return r.Properties }),
	optional(func(r *event.Raw) *string { return r.Category }),
	floats(func(r *event.Raw) *float64 { return r.Price }),
	optional(func(r *event.Raw) *string { return r.Reject }),
	optional(func(r *event.Raw) *string { return r.Key }),
	optional(func(r *event.Raw) *string { return r.Codec }),
	optional(func(r *event.Raw) *string { return r.Payload }),
}

func required[T comparable](field func(*event.Raw) T) filler {
	return func(rows []event.Raw, values []any, _ []int32) {
		var last any
		for i := range rows {
			// Boxing a value allocates; the same value as in the row before need not be boxed again.
			if v := field(&rows[i]); last == nil || last.(T) != v {
				last = v
			}
			values[i] = last
		}
	}
}

func optional[T comparable](field func(*event.Raw) *T) filler {
	return func(rows []event.Raw, values []any, levels []int32) {
		var last any
		for i := range rows {
			p := field(&rows[i])
			if p == nil {
				continue
			}
			if last == nil || last.(T) != *p {
				last = *p
			}
			values[i], levels[i] = last, 1
		}
	}
}

// floats is optional without the comparison, which would take -0 for 0.
func floats(field func(*event.Raw) *float64) filler {
	return func(rows []event.Raw, values []any, levels []int32) {
		for i := range rows {
			if p := field(&rows[i]); p != nil {
				values[i], levels[i] = *p, 1
			}
		}
	}
}
