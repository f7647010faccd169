package materialize

import (
	"unsafe"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// fieldReader reads one field of a plan from rows.
type fieldReader struct {
	source source
	column int
	texts  []string     // of a dictionary, by number
	field  feature.Type // of numbers
}

// source says where a field lies.
type source uint8

const (
	numbered source = iota // a number of a dictionary
	inline                 // a text
	clock                  // the event time
	floating               // a float, to be read as the field's type
	declared               // a float, read as the field's type already
)

// fieldReader returns the reader of a field of a plan.
func (e *engine) fieldReader(p *tile.Plan, i int) fieldReader {
	f := p.Fields[i]
	r := fieldReader{field: f.Type}
	switch f.Name {
	case "item_id":
		r.source, r.column, r.texts = numbered, colItem, e.items.texts
	case "type":
		r.source, r.column, r.texts = numbered, colKind, e.kinds.texts
	case "category":
		r.source, r.column, r.texts = numbered, colCategory, e.categories.texts
	case "user_id":
		r.source, r.column = inline, colUserID
	case "session_id":
		r.source, r.column = inline, colSession
	case "event_time":
		r.source = clock
	case "value":
		r.source, r.column = floating, colValue
	case "price":
		r.source, r.column = floating, colPrice
	}
	for _, x := range e.layout.extras {
		if x.field.Name == f.Name {
			r.source, r.column = declared, x.column
			if x.text {
				r.source = inline
			}
		}
	}
	return r
}

// operand returns the field of a row. An inline text is part of the columns: whoever keeps it copies it.
func (f *fieldReader) operand(c *spill.Columns, row int32) agg.Operand {
	switch f.source {
	case numbered:
		return tile.TextOperand(f.texts[c.Ints[f.column][row]])
	case inline:
		b := c.Texts[f.column].At(int(row))
		return tile.TextOperand(unsafe.String(unsafe.SliceData(b), len(b)))
	case clock:
		return agg.Operand{Kind: agg.Int, Int: c.Ints[colTime][row]}
	}
	x := c.Floats[f.column][row]
	switch {
	case x != x: //nolint:gocritic // NaN is not itself
		return agg.Operand{}
	case f.source == floating:
		return tile.NumberOperand(f.field, x)
	case f.field.Kind == feature.Float:
		return agg.Operand{Kind: agg.Float, Float: x}
	}
	return agg.Operand{Kind: agg.Int, Int: int64(x)}
}
