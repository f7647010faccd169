package tile

import "slices"

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

// Apply adds a valid event that is no duplicate to the bucket of its epoch.
func (p *Plan) Apply(s *State, r *Row, epoch int64) {
	i, found := slices.BinarySearchFunc(s.Epochs, epoch, func(b EpochBucket, n int64) int { return int(b.Epoch - n) })
	if !found {
		s.Epochs = slices.Insert(s.Epochs, i, EpochBucket{Epoch: epoch, Bucket: p.NewBucket()})
	}
	p.Update(s.Epochs[i].Bucket, r)
}

// DropBelow forgets the buckets of epochs below base; a generation has taken them over.
func (s *State) DropBelow(base int64) {
	s.Epochs = slices.DeleteFunc(s.Epochs, func(b EpochBucket) bool { return b.Epoch < base })
}
