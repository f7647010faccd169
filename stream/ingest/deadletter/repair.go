package deadletter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// Field is a top-level field of an event and the JSON value that it gets.
type Field struct {
	Name  string
	Value jsontext.Value
}

// ParseField reads name=value. A value of a field that holds a text is taken as it stands, of another
// one as JSON; null takes the field away. Anything else is api.Invalid.
func ParseField(text string) (Field, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return Field{}, api.Errorf(api.Invalid, "field %s: name=value is accepted", api.Clip(text))
	}
	switch name {
	case "event_id", "user_id", "item_id", "session_id", "type":
		quoted, err := jsontext.AppendQuote(nil, value)
		if err != nil {
			return Field{}, api.Errorf(api.Invalid, "field %s: UTF-8 is accepted: %w", name, err)
		}
		return Field{name, quoted}, nil
	case "event_time": // a time is written without quotes, too
		if !jsontext.Value(value).IsValid() {
			value = `"` + value + `"`
		}
	case "value", "context", "properties", "item":
	default:
		return Field{}, api.Errorf(api.Invalid, "field %s: event_id, user_id, item_id, session_id, type, value, event_time, context, properties and item are accepted", api.Clip(name))
	}
	v := jsontext.Value(value)
	if !v.IsValid() {
		return Field{}, api.Errorf(api.Invalid, "field %s: its value %s is not JSON", name, api.Clip(value))
	}
	return Field{name, v}, nil
}

// repair returns the letter's payload with the fields set.
func repair(l *Letter, fields []Field) ([]byte, error) {
	if len(fields) == 0 {
		return l.Payload, nil
	}
	if l.ContentType != "" && l.ContentType != event.ContentTypeJSON {
		return nil, api.Errorf(api.Invalid, "fields can be set in JSON only; the payload is of another content type")
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(l.Payload, &members); err != nil || members == nil {
		return nil, api.Errorf(api.Invalid, "fields can be set in a JSON object only, which the payload is not")
	}
	for _, f := range fields {
		members[f.Name] = f.Value
		if string(f.Value) == "null" {
			delete(members, f.Name)
		}
	}
	payload, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("set fields: %w", err)
	}
	return payload, nil
}

// record returns what is written to the events topic in place of a letter, or why it is still invalid.
// It is judged as every engine will judge it.
func (r *Replayer) record(l *Letter, now time.Time) (*kgo.Record, *event.Rejection) {
	if l.Truncated() {
		return nil, &event.Rejection{Reason: event.ReasonTooLarge, Field: "record", Accepted: "its payload was cut, so it cannot be replayed"}
	}
	payload, err := repair(l, r.Set)
	if err != nil {
		return nil, &event.Rejection{Reason: event.ReasonMalformed, Field: "record", Accepted: err.Error()}
	}
	contentType := l.ContentType
	e, rejection := event.Decode(contentType, payload)
	if rejection == nil && l.Source == SourceHTTP {
		payload, contentType, rejection = r.asIngest(l, payload, &e)
	}
	if rejection != nil {
		return nil, rejection
	}
	out := &kgo.Record{
		Topic: r.EventsTopic, Key: []byte(e.UserID), Value: bytes.Clone(payload), Timestamp: now.Truncate(time.Millisecond),
		Headers: []kgo.RecordHeader{{Key: HeaderSupersedes, Value: []byte(FormatPosition(l.Position))}},
	}
	if contentType != "" {
		add(out, event.ContentTypeHeader, contentType)
	}
	_, rejection = event.Validity{Partitions: r.Topics.Partitions}.Check(event.Record{
		Key: out.Key, Value: out.Value, ContentType: contentType,
		Partition: event.PartitionOf(out.Key, r.Topics.Partitions), LogTime: event.MillisOf(out.Timestamp),
	})
	return out, rejection
}

// asIngest does to an event what the front door would have done, had it accepted it: a missing event
// time is when it arrived, and the catalog's values are stamped.
func (r *Replayer) asIngest(l *Letter, payload []byte, e *event.Event) ([]byte, string, *event.Rejection) {
	var given struct {
		Time jsontext.Value `json:"event_time"`
	}
	if e.Time == 0 && (json.Unmarshal(payload, &given) != nil || given.Time == nil) {
		e.Time = event.MillisOf(l.Time)
	}
	if r.Stamp != nil {
		if stamp, known := r.Stamp(e.ItemID); known {
			e.Stamp = stamp
		}
	}
	if rejection := e.Check(); rejection != nil { // before it is written anew, which could hide what is wrong
		return nil, "", rejection
	}
	value, err := e.Encode()
	if err != nil {
		return nil, "", &event.Rejection{Reason: event.ReasonRange, Field: "record", Accepted: err.Error()}
	}
	return slices.Clip(value), "", nil
}
