package materialize

import (
	"strings"
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
	keep   bool         // some aggregate keeps the text: it must not be part of the rows' memory
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
	r := fieldReader{field: f.Type, keep: keepsText(p, i)}
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

// keepsText reports whether texts of a field outlive the row in some partial.
func keepsText(p *tile.Plan, field int) bool {
	for i := range p.Series {
		s := &p.Series[i]
		if s.By == field || s.Of == field && !strings.HasPrefix(s.Monoid.Key(), "distinct") {
			return true
		}
	}
	return false
}

// operand returns the field of a row. A text that is not kept is valid as long as the columns are.
func (f *fieldReader) operand(c *spill.Columns, row int32) agg.Operand {
	switch f.source {
	case numbered:
		return tile.TextOperand(f.texts[c.Ints[f.column][row]])
	case inline:
		b := c.Texts[f.column].At(int(row))
		if f.keep {
			return tile.TextOperand(string(b))
		}
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
