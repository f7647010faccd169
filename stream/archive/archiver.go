package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

// Config says what an Archiver works on.
type Config struct {
	Bucket *bucket.Bucket
	Seeds  []string     // Kafka brokers
	Topics kafka.Topics // as kafka.EnsureTopics returned them
	Topic  string       // default kafka.EventsTopic
	Client []kgo.Opt    // more options of the Kafka client
	Limits Limits

	// Patience is how long a failing operation on the bucket is tried again; default 2 minutes.
	Patience time.Duration
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger     // default discards
}

// Archiver copies the events topic into the raw archive. See the package comment.
type Archiver struct {
	cfg   Config
	store *store
	parts []*partition
	progress
}

// New returns an archiver; Run starts it.
func New(cfg Config) (*Archiver, error) {
	if cfg.Bucket == nil || len(cfg.Seeds) == 0 || cfg.Topics.Partitions < 1 || cfg.Topics.EventsID == [16]byte{} {
		return nil, errors.New("archive: bucket, seed brokers and topics are required")
	}
	if cfg.Topic == "" {
		cfg.Topic = kafka.EventsTopic
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 2 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Limits = cfg.Limits.withDefaults(cfg.Topics.Partitions)
	return &Archiver{cfg: cfg, store: &store{bucket: cfg.Bucket, topicID: kafka.HexID(cfg.Topics.EventsID)}}, nil
}

// Run archives until ctx ends, which is no error: what is not written yet stays in Kafka. It returns
// an ErrHalted when a person is needed, and an api.Unavailable error when bucket or Kafka failed for
// longer than Config.Patience. Run may be called again after it returned.
func (a *Archiver) Run(ctx context.Context) error {
	err := a.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func (a *Archiver) run(ctx context.Context) error {
	// Control records are no rows, but the chain covers them: the archive must reach the log's end even
	// where a transaction ends it, or retention would seem to have taken what was not archived.
	client, err := kafka.Dial(a.cfg.Seeds, a.cfg.Logger, slices.Concat(fetching(), a.cfg.Client, []kgo.Opt{kgo.KeepControlRecords()})...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.load(ctx); err != nil {
		return err
	}
	if err := a.checkLog(ctx, client); err != nil {
		return err
	}
	from := make(map[int32]kgo.Offset, len(a.parts))
	for _, p := range a.parts {
		from[p.id] = kgo.NewOffset().At(p.next)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{a.cfg.Topic: from})
	for ctx.Err() == nil {
		records, err := a.poll(ctx, client)
		if err != nil {
			return err
		}
		if err := a.consume(ctx, records); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// fetching bounds what a broker sends ahead. As records it takes about six times the memory, twice: while one answer is
// worked on the next one is fetched. Larger answers are no faster (docs/decisions/0016).
func fetching() []kgo.Opt {
	return []kgo.Opt{kgo.FetchMaxBytes(4 << 20), kgo.FetchMaxPartitionBytes(1 << 20)}
}

// load finds the archive's end and makes the state of every partition from it.
func (a *Archiver) load(ctx context.Context) error {
	var tails []Tail
	err := a.persist(ctx, "find the archive's end", func() (err error) {
		tails, err = a.store.recover(ctx, a.cfg.Topics.Partitions)
		return err
	})
	if err != nil {
		return err
	}
	a.parts = make([]*partition, len(tails))
	for i, t := range tails {
		a.parts[i] = &partition{
			topic: a.store.topicID, id: int32(i), limits: a.cfg.Limits,
			valid:   event.Validity{Partitions: a.cfg.Topics.Partitions, Texts: new(event.Texts)},
			counter: model.Counter{Epoch: t.Epoch}, first: t.Next, next: t.Next,
		}
	}
	return nil
}

// checkLog proves that Kafka still holds what comes next, and as much as was archived.
func (a *Archiver) checkLog(ctx context.Context, client *kgo.Client) error {
	start, err := kafka.StartOffsets(ctx, client, a.cfg.Topic)
	if err != nil {
		return api.Errorf(api.Unavailable, "compare the archive with the log: %w", err)
	}
	end, err := kafka.EndOffsets(ctx, client, a.cfg.Topic)
	if err != nil {
		return api.Errorf(api.Unavailable, "compare the archive with the log: %w", err)
	}
	for _, p := range a.parts {
		switch {
		case start[p.id] > p.next && p.next == 0:
			return haltf("Kafka holds %s/%d from offset %d on only, and the archive has nothing of it: the records [0,%d) are gone from Kafka and were never archived. "+
				"Anabranch needs the events topic from offset 0 on: start with a new topic %s and an empty bucket, give the topic a longer retention than the archiver is ever away, "+
				"and bring history in with `anabranch import`", a.cfg.Topic, p.id, start[p.id], start[p.id], a.cfg.Topic)
		case start[p.id] > p.next:
			return haltf("the records [%d,%d) of %s/%d are in neither Kafka nor the archive: retention was shorter than the archiver's absence. "+
				"Restore their objects below %s from a backup", p.next, start[p.id], a.cfg.Topic, p.id, model.RawEpochPrefix(p.topic, p.counter.Epoch))
		case end[p.id] < p.next:
			return haltf("%s/%d ends at offset %d, the archive at %d: Kafka lost records that were archived, and would give their offsets to others. "+
				"Restore the topic, or start with an empty bucket", a.cfg.Topic, p.id, end[p.id], p.next)
		}
	}
	return nil
}

// maxPoll bounds the records in memory between a poll and its files.
const maxPoll = 50_000

// poll waits for records, at most until it is worth looking at the age of what is pending.
func (a *Archiver) poll(ctx context.Context, client *kgo.Client) (map[int32][]*kgo.Record, error) {
	wait := min(max(a.cfg.Limits.Age/10, 10*time.Millisecond), time.Second)
	pollCtx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := client.PollRecords(pollCtx, maxPoll)
	for _, e := range fetches.Errors() {
		switch {
		case pollCtx.Err() != nil && errors.Is(e.Err, pollCtx.Err()): // waited long enough, or the end
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			if err := a.checkLog(ctx, client); err != nil {
				return nil, err
			}
			return nil, haltf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		case errors.Is(e.Err, kerr.UnknownTopicID) || errors.Is(e.Err, kerr.UnknownTopicOrPartition):
			return nil, haltf("read %s/%d: %w: the topic was deleted or recreated while it was archived; run `anabranch doctor`", e.Topic, e.Partition, e.Err)
		default:
			return nil, fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	records := map[int32][]*kgo.Record{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		records[f.Partition] = append(records[f.Partition], f.Records...)
	})
	return records, nil
}

// consume gives every partition its records and writes the files that are complete.
func (a *Archiver) consume(ctx context.Context, records map[int32][]*kgo.Record) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0)) // more could not run, and a file that is put together is in memory twice
	for _, p := range a.parts {
		g.Go(func() error { return a.advance(ctx, p, records[p.id]) })
	}
	return g.Wait()
}

func (a *Archiver) advance(ctx context.Context, p *partition, records []*kgo.Record) error {
	now := a.cfg.Now() // not for every record: reading the clock takes a tenth of what decoding one takes
	for _, r := range records {
		f, complete, err := p.step(r, now)
		if err != nil {
			return err
		}
		if complete {
			if err := a.write(ctx, p, f); err != nil {
				return err
			}
			now = a.cfg.Now()
		}
	}
	if f, complete := p.tick(a.cfg.Now()); complete {
		return a.write(ctx, p, f)
	}
	return nil
}

func (a *Archiver) write(ctx context.Context, p *partition, f file) error {
	what := fmt.Sprintf("archive [%d,%d) of epoch %d of %s/%d", f.first, f.end, f.epoch, a.cfg.Topic, f.partition)
	return a.persist(ctx, what, func() error {
		end, wrote, err := a.store.write(ctx, f)
		if err != nil {
			return err
		}
		p.written(end)
		p.reuse(f)
		a.wrote(wrote)
		return nil
	})
}

// persist repeats op until it succeeds, halts, ctx ends or patience does.
func (a *Archiver) persist(ctx context.Context, what string, op func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 10*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := op()
		if errors.Is(err, ErrHalted) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(a.cfg.Patience), backoff.WithNotify(func(err error, next time.Duration) {
		a.cfg.Logger.WarnContext(ctx, "trying again", "what", what, "in", next, "error", err)
	}))
	switch {
	case err == nil || errors.Is(err, ErrHalted):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return api.Errorf(api.Unavailable, "%s, tried for %s: %w", what, a.cfg.Patience, err)
}
