package tile

import (
	"slices"

	"github.com/anabranch/anabranch/schemas/event"
)

// State is the live state of one entity member in one partition.
type State struct {
	// Next is the offset after the last record of the partition that the state has applied. A state
	// whose Next is beyond its fence is not the fence's (DESIGN §4.3).
	Next int64
	// Recent is what the duplicate rule needs; users only.
	Recent Recent
	// Epochs are the open buckets, ascending by epoch.
	Epochs []EpochBucket
}

// EpochBucket is the bucket of one epoch.
type EpochBucket struct {
	Epoch  int64
	Bucket Bucket
}

// Apply adds a valid event that is no duplicate to the bucket of its epoch. Offset is the record's.
func (p *Plan) Apply(s *State, e *event.Event, epoch int64, partition int32, offset int64) {
	i, found := slices.BinarySearchFunc(s.Epochs, epoch, func(b EpochBucket, n int64) int { return int(b.Epoch - n) })
	if !found {
		s.Epochs = slices.Insert(s.Epochs, i, EpochBucket{Epoch: epoch, Bucket: p.NewBucket()})
	}
	p.Update(s.Epochs[i].Bucket, e, Seq(partition, offset))
}

// DropBelow forgets the buckets of epochs below base; a generation has taken them over.
func (s *State) DropBelow(base int64) {
	s.Epochs = slices.DeleteFunc(s.Epochs, func(b EpochBucket) bool { return b.Epoch < base })
}

// Since returns the buckets of epochs ≥ cut: what joins a view of that cut.
func (s *State) Since(cut int64) []Bucket {
	var out []Bucket
	for _, b := range s.Epochs {
		if b.Epoch >= cut {
			out = append(out, b.Bucket)
		}
	}
	return out
}

// Joined returns the buckets whose union is every event exactly once: the view of a generation with
// cut n (nil when the entity has none) and the live buckets of epochs ≥ n.
func Joined(view Bucket, live *State, n int64) []Bucket {
	var out []Bucket
	if view != nil {
		out = append(out, view)
	}
	if live != nil {
		out = append(out, live.Since(n)...)
	}
	return out
}
