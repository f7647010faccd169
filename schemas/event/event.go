// Package event is the contract of what enters Anabranch: the interaction event, the catalog and
// profile records, their strict JSON codec, the one validity function that every engine shares,
// and the schema of a raw Parquet row.
//
// An event says that a user did something (type) to an item at an event time. Times are Unix
// milliseconds, UTC. A record is decoded (Decode), then judged (Validity.Check) with what only its
// place in the log tells: key, partition and log time. Both steps are pure functions of the record,
// so ingest, the stream engine, the archive and the batch layer cannot disagree.
//
// An event is JSON or Protobuf (event.proto), and the record header `content-type` is the only switch:
// Decode refuses a content type that it does not know instead of guessing. Both say the same: the same
// event is accepted or rejected alike, for the same reason. Each has a decoder written by hand, which
// another one judges in the tests:
//
//   - JSON: scanEvent reads what producers usually send, and decides nothing else. Whatever surprises it
//     (an escape, null, any error) goes to the strict decoder of go-json-experiment, the judge of what
//     is accepted and the one who words rejections.
//   - Protobuf: decodeProtobuf gives what the generated code (eventpb) gives.
//
// docs/formats/event.md is the page of both encodings.
package event

// ValidatorVersion numbers the rules of Validity. It is part of every live-state namespace and of
// every generation's inputs: a changed rule is a changed answer. Version 1 is not released yet and
// knows both encodings; a further one is a new version.
const ValidatorVersion = 1

// Limits of a valid event. They bound every state and every column that is derived from one.
const (
	MaxIDBytes       = 256        // event_id, user_id, item_id, session_id, an item's category
	MaxTypeBytes     = 64         // type
	MaxEntries       = 64         // entries of context and of properties
	MaxKeyBytes      = 64         // a key of context, properties or attributes
	MaxTextBytes     = 1024       // a text value of context, properties or attributes
	MaxRecordBytes   = 64 << 10   // one encoded record
	MinEventTime     = 86_400_000 // 1970-01-02T00:00:00Z
	MaxClockSkew     = 5 * 60_000 // how far an event time may be after the log time
	minNumericMillis = 100_000_000_000
)

// Event is one interaction. The zero value of an optional field means absent.
type Event struct {
	ID         string            `json:"event_id"`
	UserID     string            `json:"user_id"`
	ItemID     string            `json:"item_id"`
	Type       string            `json:"type"`
	Value      *float64          `json:"value,omitempty"`
	Time       Millis            `json:"event_time"`
	SessionID  string            `json:"session_id,omitempty"`
	Context    map[string]string `json:"context,omitempty"`
	Properties map[string]any    `json:"properties,omitempty"` // string, float64 or bool

	// Stamp holds the item's attributes as the catalog had them when the event was taken in.
	Stamp *Stamp `json:"item,omitempty"`
}

// Stamp is the part of an item's attributes that features may group by. Ingest and import fill it;
// it never changes afterwards, so a feature computed from raw data equals one computed live.
type Stamp struct {
	Category *string  `json:"category,omitempty"`
	Price    *float64 `json:"price,omitempty"`
}

// Category returns the stamped category, or "" when there is none.
func (e *Event) Category() string {
	if e.Stamp == nil || e.Stamp.Category == nil {
		return ""
	}
	return *e.Stamp.Category
}

// Item is a catalog record: what is known of an item now. Attributes are free-form; "category"
// (text), "price" (number), "available" (true or false), "title" (text) and "tags" (list of texts)
// have a meaning to Anabranch.
type Item struct {
	ID         string         `json:"item_id"`
	Attributes map[string]any `json:"attributes,omitempty"` // string, float64, bool or []any of string
}

// User is a profile record: what is known of a user now. Attributes are free-form.
type User struct {
	ID         string         `json:"user_id"`
	Attributes map[string]any `json:"attributes,omitempty"` // string, float64, bool or []any of string
}

// Stamp returns the attributes of the item that are stamped into its events, or nil if it has none.
func (i *Item) Stamp() *Stamp {
	var s Stamp
	if c, ok := i.Attributes["category"].(string); ok && c != "" {
		s.Category = &c
	}
	if p, ok := i.Attributes["price"].(float64); ok {
		s.Price = &p
	}
	if s.Category == nil && s.Price == nil {
		return nil
	}
	return &s
}

// Available reports whether the item may be recommended: true unless "available" says false.
func (i *Item) Available() bool {
	a, ok := i.Attributes["available"].(bool)
	return !ok || a
}
