package event

import (
	"math"
	"unicode/utf8"
)

// decodeProtobuf reads an event of event.proto by hand: no reflection, no message in between. It gives
// what the generated code gives: unknown fields are passed over, of a field that comes twice the last
// counts, messages that come twice are merged, and texts are UTF-8.
func decodeProtobuf(value []byte, t *Texts) (e Event, clean bool, rej *Rejection) {
	if rej := recordSize(value); rej != nil {
		return Event{}, false, rej
	}
	if len(value) == 0 {
		return Event{}, false, reject(ReasonMalformed, "record", "", "empty; an Event is required")
	}
	w := wire{b: value}
	var d draft
	for w.more() {
		if field := w.event(&d, t); w.bad {
			return Event{}, false, notProtobuf(field, w.i)
		}
	}
	return d.finish(t), !d.broken, nil
}

// event reads one field of an Event and returns its name.
func (w *wire) event(d *draft, t *Texts) string {
	switch tag := w.tag(); tag {
	case 1<<3 | wireBytes:
		d.id = w.text()
		return "event_id"
	case 2<<3 | wireBytes:
		d.user = w.text()
		return "user_id"
	case 3<<3 | wireBytes:
		d.item = w.text()
		return "item_id"
	case 4<<3 | wireBytes:
		d.kind = w.text()
		return "type"
	case 5<<3 | wireFixed64:
		d.value = w.float()
		d.has |= hasValue
		return "value"
	case 6<<3 | wireVarint:
		d.time = Millis(w.varint())
		return "event_time_ms"
	case 7<<3 | wireBytes:
		d.session = w.text()
		return "session_id"
	case 8<<3 | wireBytes:
		m := w.message()
		m.contextEntry(d, t)
		w.done(&m)
		return "context"
	case 9<<3 | wireBytes:
		m := w.message()
		m.propertyEntry(d, t)
		w.done(&m)
		return "properties"
	case 10<<3 | wireBytes:
		d.has |= hasStamp
		m := w.message()
		m.stamp(d)
		w.done(&m)
		return "item"
	default:
		w.skip(tag)
		return "record"
	}
}

func (w *wire) contextEntry(d *draft, t *Texts) {
	var key, v []byte
	for w.more() {
		switch tag := w.tag(); tag {
		case 1<<3 | wireBytes:
			key = w.text()
		case 2<<3 | wireBytes:
			v = w.text()
		default:
			w.skip(tag)
		}
	}
	if w.bad {
		return
	}
	if d.context == nil {
		d.context = map[string]string{}
	}
	d.context[t.text(key)] = t.text(v)
	d.broken = d.broken || !withinLimits(key, v, len(d.context))
}

func (w *wire) propertyEntry(d *draft, t *Texts) {
	var key []byte
	var v scalar
	for w.more() {
		switch tag := w.tag(); tag {
		case 1<<3 | wireBytes:
			key = w.text()
		case 2<<3 | wireBytes:
			m := w.message()
			m.scalar(&v)
			w.done(&m)
		default:
			w.skip(tag)
		}
	}
	if w.bad {
		return
	}
	if d.properties == nil {
		d.properties = map[string]any{}
	}
	d.properties[t.text(key)] = v.value(t)
	d.broken = d.broken || !withinLimits(key, v.text, len(d.properties)) || !v.valid()
}

// scalar is a Scalar: the tag of the member of its oneof that came last, 0 when there is none.
type scalar struct {
	kind   uint32
	text   []byte
	number float64
	truth  bool
}

const (
	scalarText   = 1<<3 | wireBytes
	scalarNumber = 2<<3 | wireFixed64
	scalarTruth  = 3<<3 | wireVarint
)

func (w *wire) scalar(v *scalar) {
	for w.more() {
		switch tag := w.tag(); tag {
		case scalarText:
			*v = scalar{kind: tag, text: w.text()}
		case scalarNumber:
			*v = scalar{kind: tag, number: w.float()}
		case scalarTruth:
			*v = scalar{kind: tag, truth: w.varint() != 0}
		default:
			w.skip(tag)
		}
	}
}

// value returns the property, nil for a kind that this version does not know.
func (v *scalar) value(t *Texts) any {
	switch v.kind {
	case scalarText:
		return t.text(v.text)
	case scalarNumber:
		return v.number
	case scalarTruth:
		return v.truth
	}
	return nil
}

func (v *scalar) valid() bool {
	return v.kind != 0 && !math.IsNaN(v.number) && !math.IsInf(v.number, 0)
}

func (w *wire) stamp(d *draft) {
	for w.more() {
		switch tag := w.tag(); tag {
		case 1<<3 | wireBytes:
			d.category = w.text()
			d.has |= hasCategory
		case 2<<3 | wireFixed64:
			d.price = w.float()
			d.has |= hasPrice
		default:
			w.skip(tag)
		}
	}
}

// text reads a text.
func (w *wire) text() []byte {
	b := w.bytes()
	if !utf8.Valid(b) {
		w.bad = true
	}
	return b
}
