package model

import (
	"fmt"
	"time"
)

// Topic is what a bucket remembers of an events topic: keys map to partitions by their number, so it never changes.
type Topic struct {
	TopicID    string    `json:"topic_id"`
	Partitions int32     `json:"partitions"`
	First      time.Time `json:"first"` // when the bucket was first used with the topic
}

// TopicPrefix is where the objects of topics live.
const TopicPrefix = "topics/"

// TopicKey returns the key of the object of the events topic with an id, 32 hex digits.
func TopicKey(id string) string { return fmt.Sprintf("%s%s.json", TopicPrefix, id) }
