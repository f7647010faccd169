package live

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// assigned takes over partitions. It runs in the client's goroutine, before anything is fetched, and
// may not wait for Redis there: the partitions start paused and lost, at an offset that means
// nothing; their workers find the fences, and the loop seeks.
func (r *Runner) assigned(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition := range offsets[r.cfg.Topic] {
		o, err := r.newOwner(partition)
		if err != nil {
			return nil, err
		}
		r.fetch(partition, false)
		offsets[r.cfg.Topic][partition] = kgo.NewOffset().At(0)
		if old := r.owners[partition]; old != nil {
			old.inbox.stop() // and a fence that both know lets one of them commit only
		}
		r.owners[partition] = o
		r.status[partition] = PartitionStatus{Partition: partition, End: -1, Reason: "assigned, not started yet"}
		r.cfg.Logger.Info("live partition assigned", "partition", partition)
		r.launch(o)
	}
	return offsets, nil
}

// revoked gives partitions away once their workers have ended the steps they are in.
func (r *Runner) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	r.mu.Lock()
	var leaving []*owner
	for _, partition := range partitions[r.cfg.Topic] {
		if o := r.owners[partition]; o != nil {
			o.inbox.stop()
			leaving = append(leaving, o)
			delete(r.owners, partition)
		}
	}
	r.mu.Unlock()
	for _, o := range leaving {
		<-o.done
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range leaving {
		delete(r.status, o.partition)
		r.metrics.forget(o.partition)
		r.cfg.Logger.Info("live partition given away", "partition", o.partition)
	}
}

// fetch lets the client fetch a partition, or not.
func (r *Runner) fetch(partition int32, on bool) {
	if r.client == nil { // driven by a caller that brings the records
		return
	}
	if on {
		r.client.ResumeFetchPartitions(r.named(partition))
	} else {
		r.client.PauseFetchPartitions(r.named(partition))
	}
}

// seek makes the client continue at an offset and reports whether it did: the client ignores
// partitions whose assignment it has not finished.
func (r *Runner) seek(partition int32, offset int64) bool {
	to := kgo.EpochOffset{Epoch: -1, Offset: offset}
	r.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.cfg.Topic: {partition: to}})
	at, ok := r.client.CommittedOffsets()[r.cfg.Topic][partition]
	return ok && at.Offset == to.Offset
}

func (r *Runner) named(partition int32) map[string][]int32 {
	return map[string][]int32{r.cfg.Topic: {partition}}
}

// showLag commits the fences to the consumer group, for lag displays. Nobody starts there, so a
// failure costs nothing but an older display.
func (r *Runner) showLag() {
	offsets := map[int32]kgo.EpochOffset{}
	for _, p := range r.Status() {
		if p.Running {
			offsets[p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: p.Next}
		}
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.cfg.Topic: offsets}, nil)
}
