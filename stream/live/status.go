package live

import (
	"maps"
	"slices"
)

// PartitionStatus says how a partition of a runner is doing.
type PartitionStatus struct {
	Partition int32
	Running   bool
	Halted    bool   // it waits for a person
	Next      int64  // the offset of the first record that is not applied, as of the last commit
	End       int64  // the end of the log as last seen; −1 while it is unknown
	Reason    string // why it does not run, and for a halted one what to do
}

// Status returns the partitions that the runner owns now, in order. It may be called at any time.
func (r *Runner) Status() []PartitionStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.status))
	slices.SortFunc(all, func(a, b PartitionStatus) int { return int(a.Partition - b.Partition) })
	return all
}

// report publishes an owner's phase and place.
func (o *owner) report() {
	waits := 0.0
	if o.phase == halted {
		waits = 1
	}
	o.r.metrics.halted.WithLabelValues(partitionLabel(o.partition)).Set(waits)
	o.r.metrics.showFence(o.partition, o.fence)
	if o.end >= 0 {
		o.r.metrics.lag.WithLabelValues(partitionLabel(o.partition)).Set(float64(max(0, o.end-o.fence.Next)))
	}
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	o.r.status[o.partition] = PartitionStatus{
		Partition: o.partition, Running: o.phase == running, Halted: o.phase == halted,
		Next: o.fence.Next, End: o.end, Reason: o.reason,
	}
}
