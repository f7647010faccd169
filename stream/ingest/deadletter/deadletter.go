package deadletter

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// Header names of a dead letter and of a note.
const (
	HeaderReason     = "anabranch-reason"
	HeaderField      = "anabranch-field"
	HeaderDetail     = "anabranch-detail"
	HeaderSource     = "anabranch-source"
	HeaderTopicID    = "anabranch-topic-id"
	HeaderPartition  = "anabranch-partition"
	HeaderOffset     = "anabranch-offset"
	HeaderKey        = "anabranch-key"
	HeaderTruncated  = "anabranch-truncated"
	HeaderReplayedAs = "anabranch-replayed-as"
)

// HeaderSupersedes is the header of a replayed record in the events topic.
const HeaderSupersedes = "anabranch-supersedes"

// The sources of dead letters, as HeaderSource names them.
const (
	SourceLog  = "log"
	SourceHTTP = "http"
)

// MaxPayload bounds the payload kept, in bytes. A valid record is never larger than an eighth of it.
const MaxPayload = 512 << 10

// maxKey bounds the key kept, in bytes; valid ids are shorter.
const maxKey = 4 << 10

// FromLog returns the dead letter of a record that lies in the events topic at p.
func FromLog(topic string, p event.Position, why *event.Rejection, r event.Record) *kgo.Record {
	rec := build(topic, SourceLog, why, r.Value)
	placeAt(rec, p)
	if r.Key != nil {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: HeaderKey, Value: r.Key[:min(len(r.Key), maxKey)]})
	}
	if r.ContentType != "" {
		add(rec, event.ContentTypeHeader, strings.ToValidUTF8(r.ContentType[:min(len(r.ContentType), maxKey)], "?"))
	}
	return rec
}

// FromHTTP returns the dead letter of a record that ingest refused. It never was in the events topic, so
// its own position in the dead-letter topic identifies it.
func FromHTTP(topic string, why *event.Rejection, payload []byte) *kgo.Record {
	return build(topic, SourceHTTP, why, payload)
}

// note returns the record that says that the dead letter at p was replayed and lies at as now.
func note(topic string, p, as event.Position) *kgo.Record {
	rec := &kgo.Record{Topic: topic}
	placeAt(rec, p)
	add(rec, HeaderReplayedAs, FormatPosition(as))
	return rec
}

func build(topic, source string, r *event.Rejection, payload []byte) *kgo.Record {
	rec := &kgo.Record{Topic: topic, Value: payload}
	add(rec, HeaderReason, r.Reason)
	if field := knownField(r.Field); field != "" {
		add(rec, HeaderField, field)
	}
	add(rec, HeaderDetail, strings.ToValidUTF8(r.Error(), "?"))
	add(rec, HeaderSource, source)
	if len(payload) > MaxPayload {
		rec.Value = payload[:MaxPayload]
		add(rec, HeaderTruncated, strconv.Itoa(len(payload)))
	}
	return rec
}

func placeAt(rec *kgo.Record, p event.Position) {
	rec.Key = []byte(FormatPosition(p))
	add(rec, HeaderTopicID, p.TopicID)
	add(rec, HeaderPartition, strconv.Itoa(int(p.Partition)))
	add(rec, HeaderOffset, strconv.FormatInt(p.Offset, 10))
}

func add(rec *kgo.Record, name, value string) {
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
}

// knownField returns the first part of a field's name where it is one of ours. The name of an unknown
// field is the sender's text and belongs to the payload.
func knownField(field string) string {
	name, _, _ := strings.Cut(field, ".")
	switch name {
	case "event_id", "user_id", "item_id", "session_id", "type", "value", "event_time", "context", "properties", "item",
		"record", "key", "partition", event.ContentTypeHeader:
		return name
	}
	return ""
}
