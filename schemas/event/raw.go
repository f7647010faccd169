package event

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Raw is one row of the raw archive: a record with its position, either a valid event or a rejected
// record with its reason, key, content type and payload, so that nothing that was in the log is lost and a
// record can be judged again. Pointers are null columns. The tags are those of github.com/xitongsys/parquet-go, which writes these rows.
type Raw struct {
	TopicID    string   `parquet:"name=topic_id, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Partition  int32    `parquet:"name=partition, type=INT32"`
	Offset     int64    `parquet:"name=offset, type=INT64"`
	LogTime    int64    `parquet:"name=log_time, type=INT64, convertedtype=TIMESTAMP_MILLIS"`
	EventID    *string  `parquet:"name=event_id, type=BYTE_ARRAY, convertedtype=UTF8"`
	UserID     *string  `parquet:"name=user_id, type=BYTE_ARRAY, convertedtype=UTF8"`
	ItemID     *string  `parquet:"name=item_id, type=BYTE_ARRAY, convertedtype=UTF8"`
	Type       *string  `parquet:"name=type, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Value      *float64 `parquet:"name=value, type=DOUBLE"`
	EventTime  *int64   `parquet:"name=event_time, type=INT64, convertedtype=TIMESTAMP_MILLIS"`
	SessionID  *string  `parquet:"name=session_id, type=BYTE_ARRAY, convertedtype=UTF8"`
	Context    *string  `parquet:"name=context, type=BYTE_ARRAY, convertedtype=UTF8"`
	Properties *string  `parquet:"name=properties, type=BYTE_ARRAY, convertedtype=UTF8"`
	Category   *string  `parquet:"name=category, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Price      *float64 `parquet:"name=price, type=DOUBLE"`
	Reject     *string  `parquet:"name=reject, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Key        *string  `parquet:"name=key, type=BYTE_ARRAY"`
	Codec      *string  `parquet:"name=content_type, type=BYTE_ARRAY"`
	Payload    *string  `parquet:"name=payload, type=BYTE_ARRAY"`
}

// RawColumns lists the columns of a raw row in file order. Readers refuse a file with others.
var RawColumns = [...]string{
	"topic_id", "partition", "offset", "log_time", "event_id", "user_id", "item_id", "type", "value",
	"event_time", "session_id", "context", "properties", "category", "price", "reject", "key", "content_type", "payload",
}

// Position is the identity of a record: topic id (hex), or import file hash, then partition and
// offset (for imports partition 0 and the row).
type Position struct {
	TopicID   string
	Partition int32
	Offset    int64
}

// RawEvent returns the row of a valid event.
func RawEvent(p Position, logTime Millis, e *Event) (Raw, error) {
	r := rawAt(p, logTime)
	t := int64(e.Time)
	r.EventID, r.UserID, r.ItemID, r.Type, r.EventTime, r.Value = &e.ID, &e.UserID, &e.ItemID, &e.Type, &t, e.Value
	if e.SessionID != "" {
		r.SessionID = &e.SessionID
	}
	if e.Stamp != nil {
		r.Category, r.Price = e.Stamp.Category, e.Stamp.Price
	}
	var err error
	if len(e.Context) > 0 {
		if r.Context, err = contextText(e.Context); err != nil {
			return Raw{}, fmt.Errorf("row of offset %d, context: %w", p.Offset, err)
		}
	}
	if len(e.Properties) > 0 {
		if r.Properties, err = jsonText(e.Properties); err != nil {
			return Raw{}, fmt.Errorf("row of offset %d, properties: %w", p.Offset, err)
		}
	}
	return r, nil
}

// RawRejected returns the row of an invalid record. A record without a key or content type has an
// empty one there.
func RawRejected(p Position, rec Record, rej *Rejection) Raw {
	r := rawAt(p, rec.LogTime)
	key, payload := string(rec.Key), string(rec.Value)
	r.Reject, r.Key, r.Codec, r.Payload = &rej.Reason, &key, &rec.ContentType, &payload
	return r
}

func rawAt(p Position, logTime Millis) Raw {
	return Raw{TopicID: p.TopicID, Partition: p.Partition, Offset: p.Offset, LogTime: int64(logTime)}
}

// contextText is jsonText of a context, without reflection: every event has one.
func contextText(m map[string]string) (*string, error) {
	var onStack [16]string
	names := onStack[:0]
	size := 2
	for name, value := range m {
		names = append(names, name)
		size += len(name) + len(value) + 6
	}
	slices.Sort(names)
	b := append(make([]byte, 0, size), '{')
	var err error
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, name); err != nil {
			return nil, err
		}
		if b, err = jsontext.AppendQuote(append(b, ':'), m[name]); err != nil {
			return nil, err
		}
	}
	s := string(append(b, '}'))
	return &s, nil
}

func jsonText(v any) (*string, error) {
	b, err := json.Marshal(v, canonical)
	if err != nil {
		return nil, err
	}
	s := string(b)
	return &s, nil
}
