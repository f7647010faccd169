package ingest

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// splitProtobuf takes an EventBatch of schemas/event/event.proto apart into its events, at most one
// more than are accepted. Unlike an event, a batch has no fields that are passed over: who sends an
// Event instead, whose first field is a text, is told so.
func splitProtobuf(body []byte) ([][]byte, error) {
	var records [][]byte
	for at := 0; at < len(body) && len(records) <= api.MaxBatch; {
		number, kind, n := protowire.ConsumeTag(body[at:])
		if n >= 0 && (number != 1 || kind != protowire.BytesType) {
			return nil, api.Errorf(api.Invalid, "the body has a field %d at byte %d: an anabranch.event.v1.EventBatch is required, which has the field 1, events, alone", number, at)
		}
		if n < 0 {
			return nil, api.Errorf(api.Invalid, "the body is no Protobuf at byte %d: %w", at, protowire.ParseError(n))
		}
		record, size := protowire.ConsumeBytes(body[at+n:])
		if size < 0 {
			return nil, api.Errorf(api.Invalid, "the body is no Protobuf at byte %d: %w", at+n, protowire.ParseError(size))
		}
		at += n + size
		records = append(records, record[:len(record):len(record)])
	}
	return records, nil
}

// encodingOf returns the encoding of the records in a body.
func encodingOf(mediaType string) string {
	if mediaType == event.ContentTypeProtobuf {
		return event.ContentTypeProtobuf
	}
	return event.ContentTypeJSON
}
