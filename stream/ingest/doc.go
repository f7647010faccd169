// Package ingest is the front door: HTTP in, Kafka out.
//
//	POST /v1/events   interactions
//	POST /v1/items    catalog records
//	POST /v1/users    profile records
//
// A body is one JSON object, a JSON array, {"events": […]} (or items, users), or, with the content
// type application/x-ndjson, one object a line, or, for events, with application/x-protobuf, an EventBatch
// of schemas/event/event.proto; events go into the log in the encoding that they came in, which the
// header content-type of the record names. A body without a content type is refused. Limits are
// those of schemas/api.
//
// The answer comes after Kafka has acknowledged every accepted record on all in-sync replicas: 200
// when all were accepted, 207 when some were, 400 when none was or the body cannot be taken apart,
// and 503 when Kafka is away. It has one result a record, in their order. After a 503 the same
// request may be sent again: events carry the ids by which repetitions are recognised. An event
// without an event_id needs the request header Idempotency-Key, from which its id is derived together
// with its place and its bytes: a repeated request repeats the ids, a changed record gets a new one.
//
// Every accepted event passes the same event.Validity.Check that all readers of the log apply, on the
// bytes that go into the log and with the time that becomes the record's log time. Its item's
// category and price are stamped from the catalog; what the event says of them itself counts only
// while the catalog does not know the item. What the catalog says later never changes an event.
// Refused events go to the dead-letter topic as they were received.
package ingest
