// Package deadletter builds the records of the dead-letter topic, events.dlq.
//
// A dead letter keeps the payload as it was received. What is known about it is in headers:
//
//	anabranch-reason     why it is invalid (a Reason of schemas/event)
//	anabranch-detail     a sentence that names the field and what is accepted
//	anabranch-source     "log" (found in the events topic) or "http" (refused at the front door)
//	anabranch-topic-id   position of a record found in the log; these three are
//	anabranch-partition  its identity: the same position may occur more than
//	anabranch-offset     once and is one dead letter
//	anabranch-key        the record's key
//	anabranch-truncated  original size in bytes, where the payload had to be cut
package deadletter

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// Header names of a dead letter.
const (
	HeaderReason    = "anabranch-reason"
	HeaderDetail    = "anabranch-detail"
	HeaderSource    = "anabranch-source"
	HeaderTopicID   = "anabranch-topic-id"
	HeaderPartition = "anabranch-partition"
	HeaderOffset    = "anabranch-offset"
	HeaderKey       = "anabranch-key"
	HeaderTruncated = "anabranch-truncated"
)

// MaxPayload bounds the payload kept, in bytes. A valid record is never larger than an eighth of it.
const MaxPayload = 512 << 10

// maxKey bounds the key kept, in bytes; valid ids are shorter.
const maxKey = 4 << 10

// FromLog returns the dead letter of a record that lies in the events topic.
func FromLog(topic string, p event.Position, r *event.Rejection, key, payload []byte) *kgo.Record {
	rec := build(topic, "log", r, payload)
	partition, offset := strconv.Itoa(int(p.Partition)), strconv.FormatInt(p.Offset, 10)
	rec.Key = []byte(p.TopicID + "/" + partition + "/" + offset)
	add(rec, HeaderTopicID, p.TopicID)
	add(rec, HeaderPartition, partition)
	add(rec, HeaderOffset, offset)
	if key != nil {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: HeaderKey, Value: key[:min(len(key), maxKey)]})
	}
	return rec
}

// FromHTTP returns the dead letter of a record that ingest refused. It never had a position.
func FromHTTP(topic string, r *event.Rejection, payload []byte) *kgo.Record {
	return build(topic, "http", r, payload)
}

func build(topic, source string, r *event.Rejection, payload []byte) *kgo.Record {
	rec := &kgo.Record{Topic: topic, Value: payload}
	add(rec, HeaderReason, r.Reason)
	add(rec, HeaderDetail, strings.ToValidUTF8(r.Error(), "?"))
	add(rec, HeaderSource, source)
	if len(payload) > MaxPayload {
		rec.Value = payload[:MaxPayload]
		add(rec, HeaderTruncated, strconv.Itoa(len(payload)))
	}
	return rec
}

func add(rec *kgo.Record, name, value string) {
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
}
