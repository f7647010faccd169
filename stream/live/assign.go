package live

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// assigned takes over partitions. It runs in the client's goroutine, before anything is fetched, and
// may not wait for Redis there: the partitions start paused and lost, at an offset that means
// nothing, and the loop's recover finds their fences and seeks.
func (r *Runner) assigned(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition := range offsets[r.cfg.Topic] {
		o, err := r.newOwner(partition)
		if err != nil {
			return nil, err
		}
		r.client.PauseFetchPartitions(r.named(partition))
		offsets[r.cfg.Topic][partition] = kgo.NewOffset().At(0)
		r.owners[partition] = o
		r.status[partition] = PartitionStatus{Partition: partition, End: -1, Reason: "assigned, not started yet"}
		r.cfg.Logger.Info("live partition assigned", "partition", partition)
	}
	r.wake()
	return offsets, nil
}

// revoked gives partitions away. The client calls it only while no step runs.
func (r *Runner) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, partition := range partitions[r.cfg.Topic] {
		delete(r.owners, partition)
		delete(r.status, partition)
		r.metrics.forget(partition)
		r.cfg.Logger.Info("live partition given away", "partition", partition)
	}
}

// seek makes the client continue at the owner's fence and reports whether it did: the client
// ignores partitions whose assignment it has not finished.
func (r *Runner) seek(o *owner) bool {
	to := kgo.EpochOffset{Epoch: -1, Offset: o.fence.Next}
	r.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.cfg.Topic: {o.partition: to}})
	at, ok := r.client.CommittedOffsets()[r.cfg.Topic][o.partition]
	return ok && at.Offset == to.Offset
}

func (r *Runner) named(partition int32) map[string][]int32 {
	return map[string][]int32{r.cfg.Topic: {partition}}
}

// showLag commits the fences to the consumer group, for lag displays. Nobody starts there, so a
// failure costs nothing but an older display.
func (r *Runner) showLag() {
	offsets := map[int32]kgo.EpochOffset{}
	for _, o := range r.each(running) {
		offsets[o.partition] = kgo.EpochOffset{Epoch: -1, Offset: o.fence.Next}
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.cfg.Topic: offsets}, nil)
}
