package httpapi

import (
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/serving/online"
)

// Pulse is how the pipeline is doing, for the console (GET /v1/pulse).
type Pulse struct {
	Time            event.Millis `json:"time"`
	EventsPerSecond float64      `json:"events_per_second"` // taken in, over the last seconds
	// FreshnessSeconds is the time from an event's log time to its state being readable, a recent
	// median; null before the first event.
	FreshnessSeconds *float64               `json:"freshness_seconds"`
	Partitions       []PartitionPulse       `json:"partitions"`
	Generation       *online.GenerationInfo `json:"generation"` // null before the first one; filled in here
	Counters         map[string]float64     `json:"counters"`   // totals since the process started, such as events_applied
}

// PartitionPulse is how the stream layer is doing in one partition of the events topic.
type PartitionPulse struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"` // running, lost or halted
	Next      int64  `json:"next"`  // the offset before which everything is in live state
	End       int64  `json:"end"`   // the offset of the next record to come
	Lag       int64  `json:"lag"`   // End - Next
	Reason    string `json:"reason,omitempty"`
}

// Readiness is the answer of GET /readyz.
type Readiness struct {
	Ready  bool           `json:"ready"` // every required check is ok
	Checks []online.Check `json:"checks"`
}
