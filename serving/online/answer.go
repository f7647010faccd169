package online

import (
	"time"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/recommend"
)

// LiveStatus says what part live state has in an answer.
type LiveStatus string

// The statuses.
const (
	LiveExact    LiveStatus = "exact"    // every event up to the live offsets counts exactly once
	LiveDegraded LiveStatus = "degraded" // live state exists, but is incomplete or cannot be read
	LiveAbsent   LiveStatus = "absent"   // no live state went into the answer
)

// Receipt says what an answer was made from.
type Receipt struct {
	Generation string     `json:"generation"` // "" before the first one
	Cut        int64      `json:"cut"`        // the mark up to which the generation holds everything
	Label      *time.Time `json:"label"`      // the instant that the mark closes
	Live       LiveStatus `json:"live"`
	// Degraded says that the answer lacks something it should know; Reason is then a sentence about what.
	Degraded bool   `json:"degraded"`
	Reason   string `json:"reason,omitempty"`
	// LiveOffsets are, by partition of the events topic, the offsets before which everything is in the answer.
	LiveOffsets map[int32]int64 `json:"live_offsets"`
	ReadAt      event.Millis    `json:"read_at"`
}

// Attributes are what the catalogue says of an item now; each is left out where it says nothing.
type Attributes struct {
	Title    string   `json:"title,omitempty"`
	Category string   `json:"category,omitempty"`
	Price    *float64 `json:"price,omitempty"`
}

// Item is one item of an answer.
type Item struct {
	recommend.Scored
	Attributes Attributes `json:"attributes"`
}

// Recommendations is the ranked list of a user.
type Recommendations struct {
	UserID string           `json:"user_id"`
	Mode   recommend.Mode   `json:"mode"`
	Items  []Item           `json:"items"`
	Vector recommend.Vector `json:"vector"` // where the user's vector came from
	// Receipt tells what the list was made from.
	Receipt Receipt `json:"receipt"`
}

// SimilarItems are the items most like one item.
type SimilarItems struct {
	ItemID  string  `json:"item_id"`
	Items   []Item  `json:"items"`
	Receipt Receipt `json:"receipt"`
}

// TrendingItems are the items that many act on now.
type TrendingItems struct {
	Items   []Item  `json:"items"`
	Receipt Receipt `json:"receipt"`
}

// UserFeatures are the values of every user feature of the catalogue of features, and the profile.
type UserFeatures struct {
	UserID     string               `json:"user_id"`
	Features   map[string]agg.Value `json:"features"`
	Attributes map[string]any       `json:"attributes"` // of the current profile; empty when there is none
	Receipt    Receipt              `json:"receipt"`
}

// ItemFeatures are the values of every item feature, and the current attributes.
type ItemFeatures struct {
	ItemID     string               `json:"item_id"`
	Features   map[string]agg.Value `json:"features"`
	Attributes map[string]any       `json:"attributes"` // of the current catalogue record; empty when there is none
	Receipt    Receipt              `json:"receipt"`
}

// GenerationInfo describes the generation that is served.
type GenerationInfo struct {
	ID      string             `json:"id"`
	Cut     int64              `json:"cut"`
	Label   time.Time          `json:"label"`
	Metrics map[string]float64 `json:"metrics"`
	Counts  model.Counts       `json:"counts"`
}

// Check is one line of readiness.
type Check struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"` // without it no requests should be sent here
	Detail   string `json:"detail,omitempty"`
}
