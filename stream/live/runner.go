package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/tile"
)

// Runner keeps the live state of the partitions that its consumer group gives it. See the package
// comment for how.
type Runner struct {
	cfg       Config
	namespace string
	store     *redis.Store
	metrics   *metrics
	client    *kgo.Client
	log       Log
	complaint string // the last one, so that it is not repeated

	mu     sync.Mutex
	owners map[int32]*owner
	status map[int32]PartitionStatus
	wake   context.CancelFunc // ends the poll that waits now
}

// New returns a runner that does nothing yet.
func New(cfg Config) (*Runner, error) {
	if len(cfg.Seeds) == 0 {
		return nil, errors.New("live runner: Config.Seeds is required")
	}
	return newRunner(cfg)
}

func newRunner(cfg Config) (*Runner, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runner{
		cfg: cfg, namespace: tile.Namespace(cfg.Catalogue), store: redis.NewStore(cfg.Redis),
		owners: map[int32]*owner{}, status: map[int32]PartitionStatus{}, wake: func() {},
	}
	// Compiled here once, so that a catalogue that cannot be compiled is refused before anything runs.
	if _, err := NewEngine(cfg.Catalogue, 0, cfg.Partitions); err != nil {
		return nil, err
	}
	if r.metrics, err = newMetrics(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("live runner: register metrics: %w", err)
	}
	return r, nil
}

// Run works until ctx ends, which is no error. Trouble with Kafka or Redis does not end it: the
// partitions concerned wait and try again. A runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(r.cfg.Group),
		kgo.ConsumeTopics(r.cfg.Topic),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(r.assigned),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.revoked),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.KeepControlRecords(), // the last offset of a log may be theirs, and the fence has to reach it
	}
	r.mu.Lock() // the client joins its group at once and may call assigned, which needs r.client
	client, err := kafka.Dial(r.cfg.Seeds, r.cfg.Logger, append(opts, r.cfg.KafkaOptions...)...)
	r.client, r.log = client, kafkaLog{client, r.cfg.Topic}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("live runner: %w", err)
	}
	defer client.CloseAllowingRebalance()
	check := r.cfg.Clock().Add(r.cfg.CheckEvery)
	for ctx.Err() == nil {
		fetches := r.poll(ctx, check)
		r.process(ctx, fetches)
		if now := r.cfg.Clock(); !now.Before(check) {
			r.verify(ctx)
			r.showLag()
			check = now.Add(r.cfg.CheckEvery)
		}
		r.trim(ctx)
		r.recover(ctx)
		client.AllowRebalance()
	}
	r.showLag()
	return nil
}

// poll returns what Kafka has delivered, or nothing when the next check or recovery is due. Either
// way it returns with rebalances blocked.
func (r *Runner) poll(ctx context.Context, check time.Time) kgo.Fetches {
	r.mu.Lock()
	until := check
	for _, o := range r.owners {
		if o.phase != running && o.retry.Before(until) {
			until = o.retry
		}
		if o.phase == running && o.trimmer.due {
			until = time.Time{} // nothing waits for trimming, nor does trimming wait
		}
	}
	wait := max(until.Sub(r.cfg.Clock()), time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, wait)
	r.wake = cancel
	r.mu.Unlock()
	defer cancel()
	return r.client.PollRecords(ctx, r.cfg.BatchRecords*int(r.cfg.Partitions))
}

// process hands every partition its records and waits until all are done.
func (r *Runner) process(ctx context.Context, fetches kgo.Fetches) {
	var all sync.WaitGroup
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		o := r.owner(p.Partition)
		if p.Topic != r.cfg.Topic || o == nil {
			r.complain(p.Err)
			return
		}
		if o.phase != running {
			return // fetched before the partition was lost; it will be read again
		}
		all.Go(func() {
			err := o.process(ctx, p.Records, p.LastStableOffset)
			if err == nil && p.Err != nil {
				err = fmt.Errorf("fetch partition %d: %w", p.Partition, p.Err)
			}
			if err != nil && ctx.Err() == nil {
				o.lose(err)
				r.client.PauseFetchPartitions(r.named(o.partition))
			} else if err == nil {
				o.delay = 0 // a step succeeded: the next trouble is a new one
			}
		})
	})
	all.Wait()
}

// complain reports trouble that is no partition's own, such as a group that cannot be joined. The
// client goes on trying by itself. The end of a poll's waiting time comes this way too.
func (r *Runner) complain(err error) {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	if text := err.Error(); text != r.complaint {
		r.complaint = text
		r.cfg.Logger.Warn("live runner cannot read", "topic", r.cfg.Topic, "reason", text)
	}
}

// verify looks after the partitions that run.
func (r *Runner) verify(ctx context.Context) {
	for _, o := range r.each(running) {
		if err := o.verify(ctx); err != nil && ctx.Err() == nil {
			o.lose(err)
			r.client.PauseFetchPartitions(r.named(o.partition))
		}
	}
}

// trim does one slice of one partition, so that the others' records do not wait for long.
func (r *Runner) trim(ctx context.Context) {
	for _, o := range r.each(running) {
		if !o.trimmer.due {
			continue
		}
		if _, err := o.trim(ctx); err != nil && ctx.Err() == nil {
			o.lose(err)
			r.client.PauseFetchPartitions(r.named(o.partition))
		}
		return
	}
}

// recover brings lost and halted partitions back whose time has come.
func (r *Runner) recover(ctx context.Context) {
	for _, o := range append(r.each(lost), r.each(halted)...) {
		if o.retry.After(r.cfg.Clock()) || ctx.Err() != nil {
			continue
		}
		err := o.recover(ctx)
		if err == nil && !r.seek(o) {
			o.retry = r.cfg.Clock().Add(firstDelay) // assigned, but not known to the client yet
			continue
		}
		if err != nil && ctx.Err() == nil {
			o.lose(err)
		}
		if err == nil {
			o.found()
			r.client.ResumeFetchPartitions(r.named(o.partition))
		}
	}
}

// each returns the owners in a phase.
func (r *Runner) each(p phase) []*owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*owner
	for _, o := range r.owners {
		if o.phase == p {
			out = append(out, o)
		}
	}
	return out
}

func (r *Runner) owner(partition int32) *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[partition]
}
