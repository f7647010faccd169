package live

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

	queue *sharedQueue

	mu      sync.Mutex
	owners  map[int32]*owner
	status  map[int32]PartitionStatus
	wake    context.CancelFunc // ends the poll that waits now
	launch  func(*owner)       // starts the worker of an owner; does nothing while the runner ends
	workers sync.WaitGroup
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
		owners: map[int32]*owner{}, status: map[int32]PartitionStatus{}, wake: func() {}, queue: newSharedQueue(cfg.QueueBytes),
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
	io, cut := context.WithCancel(context.WithoutCancel(ctx)) // a step that has begun may end
	defer cut()
	r.mu.Lock() // the client joins its group at once and may call assigned, which needs r.client
	r.launch = func(o *owner) { r.workers.Go(func() { o.work(ctx, io) }) }
	client, err := kafka.Dial(r.cfg.Seeds, r.cfg.Logger, append(opts, r.cfg.KafkaOptions...)...)
	r.client, r.log = client, kafkaLog{client, r.cfg.Topic}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("live runner: %w", err)
	}
	defer client.CloseAllowingRebalance()
	lag := r.cfg.Clock().Add(r.cfg.CheckEvery)
	for ctx.Err() == nil {
		r.deliver(r.poll(ctx))
		r.seekAll()
		if now := r.cfg.Clock(); !now.Before(lag) {
			r.showLag()
			lag = now.Add(r.cfg.CheckEvery)
		}
		client.AllowRebalance()
		r.queue.awaitRoom(ctx)
	}
	r.drain(cut)
	r.showLag()
	return nil
}

// drainTimeout is how long steps that have begun may take when the runner is told to end: what runs a program gives
// it some 25 s.
const drainTimeout = 15 * time.Second

// drain returns when all workers have ended, each after the step it is in.
func (r *Runner) drain(cut context.CancelFunc) {
	r.mu.Lock()
	r.launch = func(o *owner) { close(o.done) }
	for _, o := range r.owners {
		o.inbox.stop()
	}
	r.mu.Unlock()
	late := time.AfterFunc(drainTimeout, cut)
	defer late.Stop()
	r.workers.Wait()
}

// poll returns what Kafka has delivered, or nothing when somebody waits for a seek. Either way it
// returns with rebalances blocked.
func (r *Runner) poll(ctx context.Context) kgo.Fetches {
	r.mu.Lock()
	wait := r.cfg.CheckEvery
	for _, o := range r.owners {
		if _, asked := o.inbox.wanted(); asked {
			wait = 0
		}
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, time.Millisecond))
	r.wake = cancel
	r.mu.Unlock()
	defer cancel()
	return r.client.PollRecords(ctx, r.cfg.BatchRecords*int(r.cfg.Partitions))
}

// nudge ends the poll that waits now.
func (r *Runner) nudge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake()
}

// deliver hands every partition its records.
func (r *Runner) deliver(fetches kgo.Fetches) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		o := r.owner(p.Partition)
		if p.Topic != r.cfg.Topic || o == nil {
			r.complain(p.Err)
			return
		}
		o.inbox.put(p.Records, p.LastStableOffset, p.Err)
	})
}

// seekAll lets the client read where workers want it to.
func (r *Runner) seekAll() {
	r.mu.Lock()
	owners := slices.Collect(maps.Values(r.owners))
	r.mu.Unlock()
	for _, o := range owners {
		// Where the client does not know the partition yet, the next poll returns at once and it is tried again.
		if offset, asked := o.inbox.wanted(); asked && r.seek(o.partition, offset) {
			o.inbox.begin()
		}
	}
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

func (r *Runner) owner(partition int32) *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[partition]
}
