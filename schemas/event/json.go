package event

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// strict refuses unknown fields. The library itself refuses duplicate names, names that differ in
// case, invalid UTF-8 and trailing data.
var strict = json.RejectUnknownMembers(true)

// canonical writes maps in key order, so that equal values have equal bytes.
var canonical = json.Deterministic(true)

// Decode reads an event from a record's value. It judges syntax and types only; see Event.Check.
func Decode(contentType string, value []byte) (Event, *Rejection) {
	e, _, rej := decodeEvent(contentType, value, nil)
	return e, rej
}

// decodeEvent is Decode. clean says that the entries of context and properties are known to be valid.
func decodeEvent(contentType string, value []byte, t *Texts) (e Event, clean bool, rej *Rejection) {
	switch contentType {
	case "", ContentTypeJSON:
		if e, ok := scanEvent(value, t); ok {
			return e, true, nil
		}
		e, rej = decodeStrict(value)
		return e, false, rej
	case ContentTypeProtobuf:
		return decodeProtobuf(value, t)
	}
	return Event{}, false, reject(ReasonMalformed, "content-type", contentType, ContentTypeJSON+" and "+ContentTypeProtobuf+" are accepted")
}

// decodeStrict is the judge of what JSON is an event; scanEvent is its fast path.
func decodeStrict(value []byte) (Event, *Rejection) {
	var e Event
	if rej := decode(value, &e); rej != nil {
		return Event{}, rej
	}
	return e, nil
}

// DecodeItem reads a catalog record from its JSON.
func DecodeItem(value []byte) (Item, *Rejection) {
	var i Item
	if rej := decode(value, &i); rej != nil {
		return Item{}, rej
	}
	return i, i.Check()
}

// DecodeUser reads a profile record from its JSON.
func DecodeUser(value []byte) (User, *Rejection) {
	var u User
	if rej := decode(value, &u); rej != nil {
		return User{}, rej
	}
	return u, u.Check()
}

// ItemRecord judges a record of the items topic: its value is a valid catalog record, and its key is
// that record's id. It is the one rule of all readers of the topic, who skip every other record: such
// a record says nothing about any item. A tombstone (nil value) is not its business.
func ItemRecord(key, value []byte) (Item, *Rejection) {
	i, rej := DecodeItem(value)
	if rej == nil {
		rej = checkKey(key, "item_id", i.ID)
	}
	return i, rej
}

// UserRecord is ItemRecord for the users topic.
func UserRecord(key, value []byte) (User, *Rejection) {
	u, rej := DecodeUser(value)
	if rej == nil {
		rej = checkKey(key, "user_id", u.ID)
	}
	return u, rej
}

// checkKey judges the key of a record by the id that its value names.
func checkKey(key []byte, field, id string) *Rejection {
	if string(key) == id {
		return nil
	}
	return reject(ReasonKey, "key", fmt.Sprintf("%q", clip(string(key))), "the record's key must be its "+field)
}

func recordSize(value []byte) *Rejection {
	if len(value) <= MaxRecordBytes {
		return nil
	}
	return reject(ReasonTooLarge, "record", "", fmt.Sprintf("%d bytes; at most %d are accepted", len(value), MaxRecordBytes))
}

func decode(value []byte, into any) *Rejection {
	if rej := recordSize(value); rej != nil {
		return rej
	}
	if len(bytes.TrimSpace(value)) == 0 {
		return reject(ReasonMalformed, "record", "", "empty; a JSON object is required")
	}
	if value[0] != '{' && bytes.TrimSpace(value)[0] != '{' {
		return reject(ReasonMalformed, "record", strings.ToValidUTF8(clip(string(value)), "?"), "a JSON object is required")
	}
	if err := json.Unmarshal(value, into, strict); err != nil {
		return malformed(err)
	}
	return nil
}

// malformed turns the library's error into a rejection that names the field.
func malformed(err error) *Rejection {
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		field := fieldOf(sem.JSONPointer)
		if errors.Is(sem.Err, json.ErrUnknownName) {
			return reject(ReasonMalformed, field, "", "unknown field")
		}
		accepted := "a value of another type is required"
		if sem.Err != nil {
			accepted = sem.Err.Error()
		}
		return reject(ReasonMalformed, field, string(sem.JSONValue), accepted)
	}
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		return reject(ReasonMalformed, fieldOf(syn.JSONPointer), "", fmt.Sprintf("not strict JSON at byte %d: %v", syn.ByteOffset, syn.Err))
	}
	return reject(ReasonMalformed, "record", "", err.Error())
}

// fieldOf turns a JSON pointer such as /context/page into the name context.page.
func fieldOf(p jsontext.Pointer) string {
	name := strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
	if name == "" {
		return "record"
	}
	return clip(name)
}

// Encode returns the event's canonical JSON: fields in declared order, map keys sorted.
func (e *Event) Encode() ([]byte, error) {
	b, err := json.Marshal(e, canonical)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return b, nil
}

// Encode returns the catalog record's canonical JSON.
func (i *Item) Encode() ([]byte, error) {
	b, err := json.Marshal(i, canonical)
	if err != nil {
		return nil, fmt.Errorf("encode item: %w", err)
	}
	return b, nil
}

// Encode returns the profile record's canonical JSON.
func (u *User) Encode() ([]byte, error) {
	b, err := json.Marshal(u, canonical)
	if err != nil {
		return nil, fmt.Errorf("encode user: %w", err)
	}
	return b, nil
}
