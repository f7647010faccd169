package tile

import (
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Row is an event as a plan sees it. It may be used again for the next event.
type Row struct {
	Time, Seq  int64 // event time, Unix ms; position (Seq)
	Item, Type string
	Value      agg.Operand   // the event's value: Float or Absent
	Fields     []agg.Operand // one for each of Plan.Fields

	matched []bool  // by Plan.Filters
	tiles   []int64 // by Plan.widths: the tile that contains Time
}

// Fill makes r the row of an event.
func (p *Plan) Fill(r *Row, e *event.Event, seq int64) {
	r.Time, r.Seq, r.Item, r.Type, r.Value = int64(e.Time), seq, e.ItemID, e.Type, agg.Operand{}
	if e.Value != nil {
		r.Value = agg.Operand{Kind: agg.Float, Float: *e.Value}
	}
	r.Fields = r.Fields[:0]
	for i := range p.Fields {
		r.Fields = append(r.Fields, p.Fields[i].of(e))
	}
}

// of reads the field of an event.
func (f *Field) of(e *event.Event) agg.Operand {
	switch f.Name {
	case "user_id":
		return TextOperand(e.UserID)
	case "item_id":
		return TextOperand(e.ItemID)
	case "type":
		return TextOperand(e.Type)
	case "session_id":
		return TextOperand(e.SessionID)
	case "category":
		return TextOperand(e.Category())
	case "event_time":
		return agg.Operand{Kind: agg.Int, Int: int64(e.Time)}
	case "value":
		return f.optional(e.Value)
	case "price":
		if e.Stamp == nil {
			return agg.Operand{}
		}
		return f.optional(e.Stamp.Price)
	}
	if name, ok := strings.CutPrefix(f.Name, "context."); ok {
		return TextOperand(e.Context[name])
	}
	return f.Operand(e.Properties[strings.TrimPrefix(f.Name, "properties.")])
}

func (f *Field) optional(x *float64) agg.Operand {
	if x == nil {
		return agg.Operand{}
	}
	return NumberOperand(f.Type, *x)
}

// Operand reads a JSON value (string, float64 or bool) as the field's type does; a value of another
// type is absent.
func (f *Field) Operand(v any) agg.Operand {
	switch x := v.(type) {
	case string:
		if f.Type.Kind == feature.Text {
			return TextOperand(x)
		}
	case float64:
		if f.Type.Kind != feature.Text && f.Type.Kind != feature.Boolean {
			return NumberOperand(f.Type, x)
		}
	case bool:
		if f.Type.Kind == feature.Boolean {
			o := agg.Operand{Kind: agg.Int}
			if x {
				o.Int = 1
			}
			return o
		}
	}
	return agg.Operand{}
}

// TextOperand returns a text as an operand. An empty one is absent.
func TextOperand(s string) agg.Operand {
	if s == "" {
		return agg.Operand{}
	}
	return agg.Operand{Kind: agg.Text, Text: s}
}

// NumberOperand returns a number as a numeric field of the type reads it.
func NumberOperand(t feature.Type, x float64) agg.Operand {
	if t.Kind == feature.Float {
		if x-x != 0 { // NaN or infinite
			return agg.Operand{}
		}
		return agg.Operand{Kind: agg.Float, Float: x + 0} // -0 is 0
	}
	n, ok := t.Units(x)
	if !ok {
		return agg.Operand{}
	}
	return agg.Operand{Kind: agg.Int, Int: n}
}

// Matches reports whether a filter of the plan takes a row.
func (p *Plan) Matches(f *feature.Filter, r *Row) bool {
	if len(f.Types) > 0 && !slices.Contains(f.Types, r.Type) {
		return false
	}
	for i := range f.Where {
		if !p.holds(&f.Where[i], r) {
			return false
		}
	}
	return true
}

func (p *Plan) holds(c *feature.Condition, r *Row) bool {
	for i := range p.Fields {
		if p.Fields[i].Name == c.Field {
			return holds(p.Fields[i].Type, c, &r.Fields[i])
		}
	}
	return false
}
