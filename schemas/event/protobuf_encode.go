package event

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// EncodeAs returns the event in the encoding of a content type: ContentTypeJSON ("" too) or
// ContentTypeProtobuf. The bytes are canonical, fields in declared order and map keys sorted.
func (e *Event) EncodeAs(contentType string) ([]byte, error) {
	switch contentType {
	case "", ContentTypeJSON:
		return e.Encode()
	case ContentTypeProtobuf:
		return e.AppendProtobuf(nil)
	}
	return nil, fmt.Errorf("encode event: content type %q: %s and %s are accepted", clip(contentType), ContentTypeJSON, ContentTypeProtobuf)
}

// AppendProtobuf appends the event as an Event of event.proto. What the format cannot hold is an
// error: a text that is no UTF-8, a property that is no text, number or truth value.
func (e *Event) AppendProtobuf(b []byte) ([]byte, error) {
	w := wireWriter{b: b}
	w.text("event_id", 1, e.ID)
	w.text("user_id", 2, e.UserID)
	w.text("item_id", 3, e.ItemID)
	w.text("type", 4, e.Type)
	w.float(5, e.Value)
	if e.Time != 0 {
		w.b = protowire.AppendTag(w.b, 6, protowire.VarintType)
		w.b = protowire.AppendVarint(w.b, uint64(e.Time))
	}
	w.text("session_id", 7, e.SessionID)
	for _, k := range slices.Sorted(maps.Keys(e.Context)) {
		w.message(8, func() {
			w.text("context", 1, k)
			w.text("context."+k, 2, e.Context[k])
		})
	}
	for _, k := range slices.Sorted(maps.Keys(e.Properties)) {
		w.message(9, func() {
			w.text("properties", 1, k)
			w.message(2, func() { w.scalar("properties."+k, e.Properties[k]) })
		})
	}
	if s := e.Stamp; s != nil && (s.Price != nil || s.Category != nil && *s.Category != "") {
		w.message(10, func() { w.stamp(e.Stamp) })
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

// wireWriter appends fields; the first thing that cannot be written is its err.
type wireWriter struct {
	b   []byte
	err error
}

// text appends a text, or nothing where it is empty.
func (w *wireWriter) text(field string, n protowire.Number, s string) {
	if s != "" {
		w.anyText(field, n, s)
	}
}

func (w *wireWriter) anyText(field string, n protowire.Number, s string) {
	if !utf8.ValidString(s) && w.err == nil {
		w.err = fmt.Errorf("encode event: %s: not UTF-8", clip(field))
	}
	w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
	w.b = protowire.AppendString(w.b, s)
}

func (w *wireWriter) float(n protowire.Number, x *float64) {
	if x != nil {
		w.b = protowire.AppendTag(w.b, n, protowire.Fixed64Type)
		w.b = protowire.AppendFixed64(w.b, math.Float64bits(*x))
	}
}

// message appends what write appends, as a message.
func (w *wireWriter) message(n protowire.Number, write func()) {
	w.b = protowire.AppendTag(w.b, n, protowire.BytesType)
	start := len(w.b)
	write()
	size := len(w.b) - start
	w.b = slices.Insert(w.b, start, protowire.AppendVarint(nil, uint64(size))...)
}

func (w *wireWriter) scalar(field string, v any) {
	switch x := v.(type) {
	case string:
		w.anyText(field, 1, x)
	case float64:
		w.float(2, &x)
	case bool:
		w.b = protowire.AppendTag(w.b, 3, protowire.VarintType)
		w.b = protowire.AppendVarint(w.b, protowire.EncodeBool(x))
	default:
		if w.err == nil {
			w.err = fmt.Errorf("encode event: %s: a %T: a text, a number, true or false is required", clip(field), v)
		}
	}
}

// stamp leaves out an empty category, as JSON does.
func (w *wireWriter) stamp(s *Stamp) {
	if s.Category != nil {
		w.text("item.category", 1, *s.Category)
	}
	w.float(2, s.Price)
}
