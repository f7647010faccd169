package redis

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// Fence says what the live state of one partition contains.
type Fence struct {
	// TopicID is the events topic's id, 32 hex digits. A recreated topic has another one.
	TopicID string `json:"topic_id"`
	// Base is the least epoch that the state still holds in full.
	Base int64 `json:"base"`
	// Epoch is the epoch of the record at Next-1, or the epoch at which the namespace was opened.
	Epoch int64 `json:"epoch"`
	// Next is the offset of the first record that the state does not contain yet.
	Next int64 `json:"next"`
	// Target is the partition's end offset when the namespace was opened.
	Target int64 `json:"target"`
	// Incarnation is the ULID in the state keys, chosen when the fence was opened.
	Incarnation string `json:"incarnation"`
}

// Filled says whether the state has reached the offset that was the end when it was opened.
func (f Fence) Filled() bool { return f.Next >= f.Target }

// Encode returns the canonical form, equal for equal fences: JSON, members in the order of the
// struct, no spaces.
func (f Fence) Encode() (string, error) {
	if f.TopicID == "" || f.Incarnation == "" {
		return "", errors.New("encode fence: topic id and incarnation are required")
	}
	raw, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("encode fence: %w", err)
	}
	return string(raw), nil
}

// ParseFence reads what [Fence.Encode] wrote. Unknown and repeated members are errors: a fence of a
// later version must not be mistaken for one of this version.
func ParseFence(raw string) (Fence, error) {
	var f Fence
	if err := json.Unmarshal([]byte(raw), &f, json.RejectUnknownMembers(true)); err != nil {
		return Fence{}, fmt.Errorf("parse fence: %w", err)
	}
	if f.TopicID == "" || f.Incarnation == "" {
		return Fence{}, errors.New("parse fence: topic id and incarnation are required")
	}
	return f, nil
}
