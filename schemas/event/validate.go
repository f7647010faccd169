package event

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Reasons why a record is not a valid event. They are counted, so they are few and stable.
const (
	ReasonMalformed = "malformed" // not JSON, unknown or duplicate field, wrong type
	ReasonRequired  = "required"  // a required field is absent or empty
	ReasonRange     = "range"     // a value is outside what is accepted
	ReasonTooLarge  = "too_large" // a field or the record exceeds its limit
	ReasonTime      = "time"      // the event time is not acceptable
	ReasonKey       = "key"       // the record's key is not the event's user_id
	ReasonPartition = "partition" // the record lies in a partition its key does not hash to
	ReasonReserved  = "reserved"  // the record carries a header that only Anabranch writes
)

// Rejection says why a record is invalid: a counted reason, the field, the value (clipped) and what
// is accepted instead.
type Rejection struct {
	Reason   string `json:"reason"`
	Field    string `json:"field,omitempty"`
	Value    string `json:"value,omitempty"`
	Accepted string `json:"accepted,omitempty"`
}

// Error implements error with a sentence that names field, value and what is accepted.
func (r *Rejection) Error() string {
	var b strings.Builder
	b.WriteString(r.Reason)
	if r.Field != "" {
		b.WriteString(": " + r.Field)
	}
	if r.Value != "" {
		fmt.Fprintf(&b, " %q", r.Value)
	}
	if r.Accepted != "" {
		b.WriteString(": " + r.Accepted)
	}
	return b.String()
}

func reject(reason, field, value, accepted string) *Rejection {
	return &Rejection{Reason: reason, Field: field, Value: clip(value), Accepted: accepted}
}

// CheckID judges an identifier: 1 to MaxIDBytes bytes of UTF-8 without control characters. It is
// the one rule for ids in events, records, URLs and flags.
func CheckID(field, id string) *Rejection {
	switch {
	case id == "":
		return reject(ReasonRequired, field, "", "a text of 1 to 256 bytes is required")
	case len(id) > MaxIDBytes:
		return reject(ReasonTooLarge, field, id, "at most 256 bytes are accepted")
	case printable(id):
		return nil
	case !utf8.ValidString(id):
		return reject(ReasonRange, field, strings.ToValidUTF8(id, "?"), "only UTF-8 is accepted")
	}
	for _, r := range id {
		if r < 0x20 || r == 0x7f {
			return reject(ReasonRange, field, id, "control characters are not accepted")
		}
	}
	return nil
}

// printable reports whether s is ASCII without control characters, as most ids are.
func printable(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 | // one load
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		deleted := w ^ 0x7f*everyByte
		if ((w-0x20*everyByte)&^w|(deleted-everyByte)&^deleted|w)&highBits != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}

// Check judges everything about the event that does not depend on its place in the log.
// It returns nil for a well-formed event.
func (e *Event) Check() *Rejection { return e.check(false) }

// check is Check; clean says that the entries of the maps are known to be valid.
func (e *Event) check(clean bool) *Rejection {
	if r := e.checkIDs(); r != nil {
		return r
	}
	if r := checkType(e.Type); r != nil {
		return r
	}
	if e.Value != nil && (math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0)) {
		return reject(ReasonRange, "value", fmt.Sprint(*e.Value), "a finite number is required")
	}
	if e.Time < MinEventTime {
		return reject(ReasonTime, "event_time", fmt.Sprint(int64(e.Time)), "1970-01-02T00:00:00Z or later is required")
	}
	if !clean {
		if r := e.checkMaps(); r != nil {
			return r
		}
	}
	return e.checkStamp()
}

func (e *Event) checkIDs() *Rejection {
	if r := CheckID("event_id", e.ID); r != nil {
		return r
	}
	if r := CheckID("user_id", e.UserID); r != nil {
		return r
	}
	if r := CheckID("item_id", e.ItemID); r != nil {
		return r
	}
	if e.SessionID == "" {
		return nil
	}
	return CheckID("session_id", e.SessionID)
}

func (e *Event) checkStamp() *Rejection {
	if e.Stamp == nil {
		return nil
	}
	if p := e.Stamp.Price; p != nil && (math.IsNaN(*p) || math.IsInf(*p, 0)) {
		return reject(ReasonRange, "item.price", fmt.Sprint(*p), "a finite number is required")
	}
	if c := e.Stamp.Category; c != nil {
		return checkCategory("item.category", *c)
	}
	return nil
}

func checkType(t string) *Rejection {
	const accepted = "1 to 64 characters out of a-z, 0-9 and _ are required"
	if t == "" {
		return reject(ReasonRequired, "type", "", accepted)
	}
	if len(t) > MaxTypeBytes {
		return reject(ReasonTooLarge, "type", t, accepted)
	}
	for i := range len(t) {
		if c := t[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return reject(ReasonRange, "type", strings.ToValidUTF8(t, "?"), accepted)
		}
	}
	return nil
}

func (e *Event) checkMaps() *Rejection {
	if len(e.Context) > MaxEntries {
		return reject(ReasonTooLarge, "context", fmt.Sprint(len(e.Context)), "at most 64 entries are accepted")
	}
	if r := firstOf(e.Context, func(k, v string) *Rejection { return checkEntry("context", k, v) }); r != nil {
		return r
	}
	return checkAttributes("properties", e.Properties, false)
}

// firstOf judges the entries of a map and returns the rejection of the least key that has one, so that
// all who judge a record give the same reason.
func firstOf[V any](m map[string]V, judge func(k string, v V) *Rejection) (first *Rejection) {
	var least string
	for k, v := range m {
		if first != nil && k > least {
			continue
		}
		if r := judge(k, v); r != nil {
			least, first = k, r
		}
	}
	return first
}

// checkAttributes judges a map of scalars; lists of texts are accepted where lists is true.
func checkAttributes(field string, m map[string]any, lists bool) *Rejection {
	if len(m) > MaxEntries {
		return reject(ReasonTooLarge, field, fmt.Sprint(len(m)), "at most 64 entries are accepted")
	}
	return firstOf(m, func(k string, v any) *Rejection {
		if r := checkEntry(field, k, v); r != nil {
			return r
		}
		if list, isList := v.([]any); isList {
			return checkList(field+"."+k, list, lists)
		}
		return nil
	})
}

func checkList(name string, list []any, accepted bool) *Rejection {
	if !accepted {
		return reject(ReasonRange, name, "[…]", "a text, a finite number, true or false is required")
	}
	if len(list) > MaxEntries {
		return reject(ReasonTooLarge, name, fmt.Sprint(len(list)), "at most 64 entries are accepted")
	}
	for _, x := range list {
		if s, ok := x.(string); !ok || !textFits(s) {
			return reject(ReasonRange, name, fmt.Sprint(x), "a list of texts of at most 1024 bytes is required")
		}
	}
	return nil
}

func checkEntry(field, key string, v any) *Rejection {
	if key == "" || len(key) > MaxKeyBytes || !utf8.ValidString(key) {
		return reject(ReasonRange, field, strings.ToValidUTF8(key, "?"), "keys of 1 to 64 bytes of UTF-8 are required")
	}
	switch x := v.(type) {
	case string:
		if !textFits(x) {
			return checkText(field+"."+key, x)
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return reject(ReasonRange, field+"."+key, fmt.Sprint(x), "a finite number is required")
		}
	case bool, []any:
	default:
		return reject(ReasonRange, field+"."+key, fmt.Sprintf("%v", v), "a text, a finite number, true or false is required")
	}
	return nil
}

// textFits reports what checkText explains.
func textFits(s string) bool { return len(s) <= MaxTextBytes && utf8.ValidString(s) }

func checkText(field, s string) *Rejection {
	if len(s) > MaxTextBytes {
		return reject(ReasonTooLarge, field, s, "at most 1024 bytes are accepted")
	}
	if !utf8.ValidString(s) {
		return reject(ReasonRange, field, strings.ToValidUTF8(s, "?"), "only UTF-8 is accepted")
	}
	return nil
}

// checkCategory judges a category that features group by: state keeps as many as a user meets, so each
// is as short as an id.
func checkCategory(field, s string) *Rejection {
	if len(s) > MaxIDBytes {
		return reject(ReasonTooLarge, field, s, "at most 256 bytes are accepted")
	}
	return checkText(field, s)
}

// Check judges a catalog record.
func (i *Item) Check() *Rejection {
	if r := CheckID("item_id", i.ID); r != nil {
		return r
	}
	if r := checkAttributes("attributes", i.Attributes, true); r != nil {
		return r
	}
	return checkKnown(i.Attributes)
}

// checkKnown judges the attributes that mean something to Anabranch.
func checkKnown(a map[string]any) *Rejection {
	wrong := func(name, accepted string) *Rejection {
		return reject(ReasonRange, "attributes."+name, fmt.Sprint(a[name]), accepted)
	}
	if v, ok := a["category"]; ok {
		s, text := v.(string)
		if !text {
			return wrong("category", "a text is required")
		}
		if r := checkCategory("attributes.category", s); r != nil { // or its events would be refused
			return r
		}
	}
	if v, ok := a["price"]; ok {
		if p, number := v.(float64); !number || p < 0 {
			return wrong("price", "a number of at least 0 is required")
		}
	}
	if v, ok := a["available"]; ok {
		if _, truth := v.(bool); !truth {
			return wrong("available", "true or false is required")
		}
	}
	return nil
}

// Check judges a profile record.
func (u *User) Check() *Rejection {
	if r := CheckID("user_id", u.ID); r != nil {
		return r
	}
	return checkAttributes("attributes", u.Attributes, true)
}
