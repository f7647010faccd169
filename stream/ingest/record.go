package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// kind is one of the three things that are taken in.
type kind struct {
	plural string   // in the path, in a wrapped body, and in metrics
	types  []string // the media types of a body
	// prepare judges one record and returns what goes to Kafka. It names the record in the result.
	prepare func(h *Handler, rq request, index int, raw []byte, out *Result) (*kgo.Record, *event.Rejection)
	// stored is told of an acknowledged record; nil: nobody wants to know.
	stored func(h *Handler, r *kgo.Record)
	letter bool // refused records become dead letters
}

// request is what the records of one request share.
type request struct {
	received time.Time // whole milliseconds, as log times are
	idPrefix string    // of derived event ids; "" without an Idempotency-Key
	encoding string    // content type of every record
}

const (
	idempotencyKey = "Idempotency-Key"
	maxKeyBytes    = 256
)

// newRequest judges the headers of a request.
func newRequest(r *http.Request, now time.Time) (request, error) {
	// HTTP headers never become headers of a record. Who sends this one expects to write a mark, and is
	// told that it is not possible.
	for name := range r.Header {
		if strings.EqualFold(name, event.MarkHeader) {
			return request{}, api.Errorf(api.Invalid, "%s: the header %s is written by Anabranch alone", event.ReasonReserved, event.MarkHeader)
		}
	}
	rq := request{received: now.Truncate(time.Millisecond)}
	if key := r.Header.Get(idempotencyKey); key != "" {
		if len(key) > maxKeyBytes || !utf8.ValidString(key) {
			return request{}, api.Errorf(api.Invalid, "%s: at most %d bytes of UTF-8 are accepted", idempotencyKey, maxKeyBytes)
		}
		sum := sha256.Sum256([]byte(key))
		rq.idPrefix = hex.EncodeToString(sum[:12]) + "-"
	}
	return rq, nil
}

// derivedID returns the id of a record without one: equal in a repetition of the request, and another
// one when the request comes again with other records, say only the corrected ones.
func (rq request) derivedID(index int, raw []byte) string {
	sum := sha256.Sum256(raw)
	return rq.idPrefix + strconv.Itoa(index) + "-" + hex.EncodeToString(sum[:8])
}

// prepareEvent puts an event into the log in the encoding that it came in.
func prepareEvent(h *Handler, rq request, index int, raw []byte, out *Result) (*kgo.Record, *event.Rejection) {
	e, rejection := event.Decode(rq.encoding, raw)
	if rejection != nil {
		return nil, rejection
	}
	if e.ID == "" && rq.idPrefix != "" {
		e.ID = rq.derivedID(index, raw)
	}
	out.EventID = shown(e.ID)
	if e.Time == 0 && !hasTime(rq.encoding, raw) {
		e.Time = event.MillisOf(rq.received)
	}
	h.cfg.Catalog.stamp(&e)
	if rejection := e.Check(); rejection != nil {
		return nil, rejection
	}
	value, err := e.EncodeAs(rq.encoding)
	if err != nil {
		return nil, unencodable(err)
	}
	key := []byte(e.UserID)
	r := &kgo.Record{Topic: h.cfg.EventsTopic, Key: key, Value: value, Timestamp: rq.received, Headers: contentType(rq.encoding)}
	_, rejection = event.Validity{Partitions: h.cfg.Partitions}.Check(event.Record{
		Key: key, Value: value, ContentType: rq.encoding, Partition: event.PartitionOf(key, h.cfg.Partitions), LogTime: event.MillisOf(rq.received),
	})
	return r, rejection
}

// contentType returns the headers that name an encoding. JSON, which no header means too, has none.
func contentType(encoding string) []kgo.RecordHeader {
	if encoding == event.ContentTypeJSON {
		return nil
	}
	return []kgo.RecordHeader{{Key: event.ContentTypeHeader, Value: []byte(encoding)}}
}

func prepareItem(h *Handler, rq request, _ int, raw []byte, out *Result) (*kgo.Record, *event.Rejection) {
	i, rejection := event.DecodeItem(raw)
	out.ItemID = shown(i.ID)
	if rejection != nil {
		return nil, rejection
	}
	value, err := i.Encode()
	if err != nil {
		return nil, unencodable(err)
	}
	_, rejection = event.ItemRecord([]byte(i.ID), value)
	return &kgo.Record{Topic: h.cfg.ItemsTopic, Key: []byte(i.ID), Value: value, Timestamp: rq.received}, rejection
}

func prepareUser(h *Handler, rq request, _ int, raw []byte, out *Result) (*kgo.Record, *event.Rejection) {
	u, rejection := event.DecodeUser(raw)
	out.UserID = shown(u.ID)
	if rejection != nil {
		return nil, rejection
	}
	value, err := u.Encode()
	if err != nil {
		return nil, unencodable(err)
	}
	_, rejection = event.UserRecord([]byte(u.ID), value)
	return &kgo.Record{Topic: h.cfg.UsersTopic, Key: []byte(u.ID), Value: value, Timestamp: rq.received}, rejection
}

// hasTime tells an event that says 1970-01-01 from one that says nothing about its time, which
// Protobuf does not tell apart.
func hasTime(encoding string, raw []byte) bool {
	if encoding == event.ContentTypeProtobuf {
		return false
	}
	var e struct {
		Time jsontext.Value `json:"event_time"`
	}
	return json.Unmarshal(raw, &e) == nil && e.Time != nil
}

// unencodable is the rejection of a record that was decoded but cannot be written, such as one with a
// time beyond the year 9999.
func unencodable(err error) *event.Rejection {
	return &event.Rejection{Reason: event.ReasonRange, Field: "record", Accepted: err.Error()}
}

// shown is an id as an answer repeats it: one that is too long to be an id is cut.
func shown(id string) string {
	if len(id) <= event.MaxIDBytes {
		return id
	}
	return strings.ToValidUTF8(id[:event.MaxIDBytes], "") + fmt.Sprintf("…(%d bytes)", len(id))
}
