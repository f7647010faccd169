package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/event"
)

// ContentType returns a record's content-type header, "" where it has none. Of several the last one
// counts, as for Kafka's own clients. Every reader must judge by this one, or two would judge the same
// record differently.
func ContentType(r *kgo.Record) string {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == event.ContentTypeHeader {
			switch value := r.Headers[i].Value; string(value) { // the usual ones without a copy
			case event.ContentTypeProtobuf:
				return event.ContentTypeProtobuf
			case event.ContentTypeJSON:
				return event.ContentTypeJSON
			default:
				return string(value)
			}
		}
	}
	return ""
}
