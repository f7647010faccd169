package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

// phase is what an owner knows about its partition; see the package comment.
type phase int

const (
	lost phase = iota
	running
	halted
)

// pruneMargin is how far behind the runner's clock, and behind the newest record, a reader's clock may be.
const pruneMargin = time.Hour

// ioTimeout bounds one step, check or recovery: rebalances wait for them.
const ioTimeout = 10 * time.Second

// errMismatch says that the stored fence is not the expected one.
var errMismatch = errors.New("the stored fence is another one")

// owner works on one partition. It is used by one goroutine, its worker; inbox and done are for others too.
type owner struct {
	r         *Runner
	partition int32
	keys      redis.Keys
	committer *redis.Committer
	engine    *Engine
	cache     *cache
	inbox     *inbox
	done      chan struct{} // closed when the worker has ended

	phase phase
	fence redis.Fence
	raw   string // the fence as stored

	retry  time.Time     // not to be recovered before
	delay  time.Duration // the last delay, for the backoff
	reason string        // why it is lost or halted

	trimmer trimmer

	began   time.Time // the last batch
	checkAt time.Time // when to look at the fence again

	end int64 // of the partition, as Kafka told it last; -1 before it did

	records []Record // memory of a step
	states  [][]byte // the same
}

func (r *Runner) newOwner(partition int32) (*owner, error) {
	engine, err := NewEngine(r.cfg.Catalogue, partition, r.cfg.Partitions)
	if err != nil {
		return nil, err
	}
	keys := redis.Keys{Partition: partition, Namespace: r.namespace}
	return &owner{
		end: -1, r: r, partition: partition, engine: engine, cache: newCache(r.cfg.CacheBytes / int(r.cfg.Partitions)),
		keys: keys, committer: r.store.NewCommitter(keys), done: make(chan struct{}),
		inbox: newInbox(r.queue, func(on bool) { r.fetch(partition, on) }),
	}, nil
}

// process applies records in batches, each with one commit. high is the end of the partition as
// Kafka told it with them.
func (o *owner) process(ctx context.Context, records []*kgo.Record, high int64) error {
	o.end = max(o.end, high)
	for len(records) > 0 {
		n := min(len(records), o.r.cfg.BatchRecords)
		if err := o.step(ctx, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	o.report()
	return nil
}

// step applies one batch: judge, load, apply, dead letters, commit.
func (o *owner) step(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	from := o.engineFence()
	o.records = toEngine(o.records[:0], records)
	batch := o.engine.Judge(from, o.records)
	if batch.Next == o.storedFence() {
		return nil // all of it was applied before
	}
	states, err := o.load(ctx, batch.Touched)
	if err != nil {
		return err
	}
	result, err := o.engine.Apply(from, &batch, states, oldest(o.r.cfg.Clock(), batch.Newest))
	if errors.Is(err, ErrAhead) {
		return fmt.Errorf("%w: %w", errMismatch, err)
	}
	if err != nil {
		return fmt.Errorf("partition %d: %w", o.partition, err)
	}
	if err := o.bury(ctx, batch.Letters); err != nil {
		return err
	}
	if err := o.commit(ctx, batch.Next, result); err != nil {
		return err
	}
	for _, b := range result.Blobs {
		o.cache.put(b.Suffix, b.Value)
	}
	o.observe(records, from, &batch, result)
	return nil
}

// oldest is the earliest instant at which anybody may read the states of a batch. The clock alone must
// not say it: one that runs ahead would prune the tiles of current events, for good.
func oldest(now time.Time, newest event.Millis) int64 {
	return min(now.UnixMilli(), int64(newest)) - pruneMargin.Milliseconds()
}

// engineFence is the fence as the next batch starts from it, with the base that the floor asks for.
func (o *owner) engineFence() Fence {
	f := o.storedFence()
	f.Base = max(f.Base, o.r.cfg.Floor())
	return f
}

func (o *owner) storedFence() Fence {
	return Fence{Base: o.fence.Base, Epoch: o.fence.Epoch, Next: o.fence.Next}
}

// toEngine appends records as the engine reads them.
func toEngine(to []Record, records []*kgo.Record) []Record {
	for _, r := range records {
		mark, isMark := kafka.MarkNumber(r)
		to = append(to, Record{
			Offset: r.Offset, Key: r.Key, Value: r.Value, IsControl: r.Attrs.IsControl(), IsMark: isMark, Mark: mark,
			ContentType: kafka.ContentType(r), LogTime: event.MillisOf(r.Timestamp),
		})
	}
	return to
}

// load returns the encoded states under the suffixes, from the cache or with one read from Redis.
func (o *owner) load(ctx context.Context, suffixes []string) ([][]byte, error) {
	o.states = o.states[:0]
	var missing []int
	var keys []string
	prefix := o.keys.State(o.fence.Incarnation)
	for i, suffix := range suffixes {
		state, ok := o.cache.get(suffix)
		if o.states = append(o.states, state); !ok {
			missing, keys = append(missing, i), append(keys, prefix+suffix)
		}
	}
	o.r.metrics.hits.Add(float64(len(suffixes) - len(missing)))
	o.r.metrics.misses.Add(float64(len(missing)))
	if len(missing) == 0 {
		return o.states, nil
	}
	o.r.metrics.roundTrips.Inc()
	blobs, err := o.r.store.LoadBlobs(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("load states of partition %d: %w", o.partition, err)
	}
	for i, at := range missing {
		o.states[at] = blobs[i]
	}
	return o.states, nil
}

// bury writes dead letters and waits until Kafka has them.
func (o *owner) bury(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	records := make([]*kgo.Record, len(letters))
	for i, l := range letters {
		position := event.Position{TopicID: o.fence.TopicID, Partition: o.partition, Offset: l.Offset}
		records[i] = deadletter.FromLog(o.r.cfg.DeadLettersTopic, position, l.Rejection, l.Record)
	}
	if err := o.r.log.Bury(ctx, records); err != nil {
		return fmt.Errorf("write %d dead letters of partition %d: %w", len(letters), o.partition, err)
	}
	return nil
}

// commit moves the fence to next and stores what a step computed, or changes nothing and says so.
func (o *owner) commit(ctx context.Context, next Fence, result Result) error {
	fence := o.fence
	fence.Base, fence.Epoch, fence.Next = next.Base, next.Epoch, next.Next
	writes := make([]redis.KV, len(result.Blobs))
	prefix := o.keys.State(fence.Incarnation)
	for i, b := range result.Blobs {
		writes[i] = redis.KV{Key: prefix + b.Suffix, Value: b.Value}
	}
	changes := redis.Changes{Writes: writes}
	for _, t := range result.Touched {
		indexed(&changes, o.keys, fence, t)
	}
	if fence.Base > o.fence.Base || fence.Epoch > o.fence.Epoch {
		o.trimmer.due = true
	}
	return o.store(ctx, fence, changes)
}

// store is the fenced write.
func (o *owner) store(ctx context.Context, fence redis.Fence, changes redis.Changes) error {
	o.r.metrics.roundTrips.Inc()
	result, err := o.committer.Commit(ctx, o.raw, fence, changes)
	if err != nil {
		return err
	}
	if !result.OK {
		return o.mismatch(result.Stored)
	}
	o.fence, o.raw = fence, result.Stored
	o.report()
	return nil
}

// mismatch counts what was found in place of the expected fence.
func (o *owner) mismatch(stored string) error {
	kind := "replaced"
	found, err := redis.ParseFence(stored)
	switch {
	case stored == "":
		kind = "missing"
	case err != nil || found.Incarnation != o.fence.Incarnation || found.TopicID != o.fence.TopicID:
	case found.Next > o.fence.Next:
		kind = "ahead"
	case found.Next < o.fence.Next:
		kind = "behind"
	}
	o.r.metrics.mismatches.WithLabelValues(kind).Inc()
	return fmt.Errorf("partition %d at offset %d: %w (%s)", o.partition, o.fence.Next, errMismatch, kind)
}

func (o *owner) observe(records []*kgo.Record, from Fence, b *Batch, result Result) {
	m, now := o.r.metrics, o.r.cfg.Clock()
	m.applied.Add(float64(result.Applied))
	m.duplicates.Add(float64(result.Duplicates))
	for _, l := range b.Letters {
		m.letters.WithLabelValues(l.Rejection.Reason).Inc()
	}
	for _, r := range records {
		if r.Offset >= from.Next && !r.Attrs.IsControl() {
			m.records.Inc()
			m.servable.Observe(max(0, now.Sub(r.Timestamp).Seconds()))
		}
	}
}
