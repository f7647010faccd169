package eventfile

import (
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/event"
)

// timeLayout is the layout of event.Millis.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// lineEncoder appends an event's canonical JSON. It takes a short way, several times as fast
// as Event.Encode and equal to it byte for byte, for the events that fill files: those with nothing but
// texts, a time, a value and a context.
type lineEncoder struct {
	keys []string
}

func (c *lineEncoder) append(b []byte, e *event.Event) ([]byte, error) {
	if fitsShort(e) {
		if out, err := c.appendShort(b, e); err == nil {
			return out, nil
		} // a text is not UTF-8: the codec says which
	}
	full, err := e.Encode()
	return append(b, full...), err
}

func fitsShort(e *event.Event) bool {
	if len(e.Properties) > 0 || e.Stamp != nil {
		return false
	}
	if e.Value != nil && (math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0)) {
		return false
	}
	year := e.Time.Time().Year()
	return year >= 1 && year <= 9999
}

func (c *lineEncoder) appendShort(b []byte, e *event.Event) ([]byte, error) {
	var err error
	for _, f := range [...]struct{ name, text string }{
		{`{"event_id":`, e.ID}, {`,"user_id":`, e.UserID}, {`,"item_id":`, e.ItemID}, {`,"type":`, e.Type},
	} {
		if b, err = jsontext.AppendQuote(append(b, f.name...), f.text); err != nil {
			return nil, err
		}
	}
	if e.Value != nil {
		b = append(b, `,"value":`...)
		b = append(b, jsontext.Float(*e.Value).String()...)
	}
	b = append(b, `,"event_time":"`...)
	b = append(e.Time.Time().AppendFormat(b, timeLayout), '"')
	if e.SessionID != "" {
		if b, err = jsontext.AppendQuote(append(b, `,"session_id":`...), e.SessionID); err != nil {
			return nil, err
		}
	}
	if len(e.Context) > 0 {
		if b, err = c.appendContext(append(b, `,"context":`...), e.Context); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (c *lineEncoder) appendContext(b []byte, context map[string]string) ([]byte, error) {
	c.keys = c.keys[:0]
	for k := range context {
		c.keys = append(c.keys, k)
	}
	slices.Sort(c.keys)
	var err error
	for i, k := range c.keys {
		before := byte(',')
		if i == 0 {
			before = '{'
		}
		if b, err = jsontext.AppendQuote(append(b, before), k); err != nil {
			return nil, err
		}
		if b, err = jsontext.AppendQuote(append(b, ':'), context[k]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
