//go:build integration

package cluster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/stream/live"
)

const (
	partitions = 12
	users      = 60
	items      = 25
	patience   = time.Minute // for anything that has to happen
)

// world is a topic and the events in it.
type world struct {
	seeds     []string
	topic     string
	client    *kgo.Client
	catalogue feature.Catalogue
	rng       *rand.Rand
	recent    []event.Event // may come again

	mu  sync.Mutex
	log []oracle.Record
	cut map[int32]int64 // the offsets of mark 1
}

func newWorld(ctx context.Context, t *testing.T, seed uint64) *world {
	t.Helper()
	catalogue, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	seeds := []string{need.Kafka(t)}
	client, err := kafka.Dial(seeds, nil, kafka.Local())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &world{
		seeds: seeds, topic: "events-" + strings.ToLower(ulid.Make().String()), client: client, catalogue: catalogue,
		rng: rand.New(rand.NewPCG(seed, 0)),
	}
	admin := kadm.NewClient(client)
	if created, err := admin.CreateTopics(ctx, partitions, 1, nil, w.topic, w.letters()); err != nil || created.Error() != nil {
		t.Fatal(err, created.Error())
	}
	t.Cleanup(func() {
		if _, err := admin.DeleteTopics(context.Background(), w.topic, w.letters()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) letters() string { return w.topic + ".dlq" }

// produce sends n events, of which one in ten repeats an earlier one, and notes where Kafka has put them.
func (w *world) produce(ctx context.Context, n int) error {
	events, records := make([]event.Event, n), make([]*kgo.Record, n)
	for i := range events {
		events[i] = w.next()
		value, err := events[i].Encode()
		if err != nil {
			return err
		}
		records[i] = &kgo.Record{Topic: w.topic, Key: []byte(events[i].UserID), Value: value}
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range records {
		epoch := int64(0)
		if at, marked := w.cut[r.Partition]; marked && r.Offset > at {
			epoch = 1
		}
		w.log = append(w.log, oracle.Record{Event: events[i], Epoch: epoch, Seq: tile.Seq(r.Partition, r.Offset), LogTime: r.Timestamp.UnixMilli()})
	}
	return nil
}

func (w *world) next() event.Event {
	if len(w.recent) > 0 && w.rng.IntN(10) == 0 {
		return w.recent[w.rng.IntN(len(w.recent))]
	}
	category := fmt.Sprint("c", w.rng.IntN(4))
	e := event.Event{
		ID: ulid.Make().String(), UserID: fmt.Sprint("u", w.rng.IntN(users)), ItemID: fmt.Sprint("i", w.rng.IntN(items)),
		Type: []string{"view", "cart", "purchase"}[w.rng.IntN(3)], Stamp: &event.Stamp{Category: &category},
		Time: event.MillisOf(time.Now().Add(-time.Duration(w.rng.IntN(50)) * time.Hour)),
	}
	if w.recent = append(w.recent, e); len(w.recent) > 100 {
		w.recent = w.recent[1:]
	}
	return e
}

// mark ends epoch 0 in every partition.
func (w *world) mark(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = map[int32]int64{}
	for p := range int32(partitions) {
		offset, err := kafka.WriteMark(ctx, w.client, w.topic, p, 1, []byte(`{}`))
		if err != nil {
			return err
		}
		w.cut[p] = offset
	}
	return nil
}

// flow produces until it is stopped, which reports what went wrong.
func (w *world) flow(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			// What was begun is finished: an event of which nobody knows whether it is in the log has no place in the truth.
			if err := w.produce(context.WithoutCancel(ctx), 10); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() error { cancel(); return <-done }
}

// run keeps live state in Redis until the returned function is called.
func (w *world) run(t *testing.T, client goredis.UniversalClient) (r *live.Runner, stop func()) {
	t.Helper()
	r, err := live.New(live.Config{
		Seeds: w.seeds, Partitions: partitions, Redis: client, Catalogue: w.catalogue,
		Origin: func(_ context.Context, p int32) (live.Origin, error) { return live.OriginOf(0, nil, p) },
		Floor:  func() int64 { return 0 },
		Clock:  time.Now, Logger: slog.New(slog.DiscardHandler), Group: "live-" + w.topic, Topic: w.topic, DeadLettersTopic: w.letters(),
		BatchRecords: 64, CheckEvery: 100 * time.Millisecond, KafkaOptions: []kgo.Opt{kafka.Local()},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return r, stop
}

// fences returns the fences of all partitions that have one.
func (w *world) fences(ctx context.Context, client goredis.UniversalClient) map[int32]redis.Fence {
	store, all := redis.NewStore(client), map[int32]redis.Fence{}
	for p := range int32(partitions) {
		if f, _, found, err := store.ReadFence(ctx, w.keys(p)); err == nil && found {
			all[p] = f
		}
	}
	return all
}

func (w *world) keys(p int32) redis.Keys {
	return redis.Keys{Partition: p, Namespace: tile.Namespace(w.catalogue)}
}

// caughtUp waits until every fence is at the end of its partition.
func (w *world) caughtUp(ctx context.Context, t *testing.T, client goredis.UniversalClient) {
	t.Helper()
	ends, err := kafka.EndOffsets(ctx, w.client, w.topic)
	if err != nil {
		t.Fatal(err)
	}
	await(ctx, t, "every fence is at the end of its partition", func() error {
		fences := w.fences(ctx, client)
		for p, end := range ends {
			if f, known := fences[p]; !known || f.Next != end {
				return fmt.Errorf("partition %d ends at %d, its fence is %+v", p, end, f)
			}
		}
		return nil
	})
}

// check asks serving for everybody and everything, and compares each answer with the oracle's.
func (w *world) check(ctx context.Context, t *testing.T, client goredis.UniversalClient) {
	t.Helper()
	bucket, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := online.New(online.Config{Bucket: bucket, Features: w.catalogue, Redis: client, Partitions: partitions, LiveTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(w.log, func(a, b oracle.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	distinct := oracle.Distinct(w.log)
	if repeated := len(w.log) - len(distinct); repeated == 0 {
		t.Error("no event was a duplicate, so the rule was not tried")
	}
	for _, id := range oracle.Members(feature.User, distinct) {
		got, err := s.Features(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		w.compare(t, feature.User, id, distinct, got.Features, got.Receipt)
	}
	for _, id := range oracle.Members(feature.Item, distinct) {
		got, err := s.ItemFeatures(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		w.compare(t, feature.Item, id, distinct, got.Features, got.Receipt)
	}
	t.Logf("%d events, %d of them duplicates: served as the oracle says", len(w.log), len(w.log)-len(distinct))
}

func (w *world) compare(t *testing.T, e feature.Entity, id string, distinct []oracle.Record, got map[string]agg.Value, r online.Receipt) {
	t.Helper()
	if r.Live != online.LiveExact {
		t.Errorf("%s %s: live state is %s: %s", e, id, r.Live, r.Reason)
	}
	mine := oracle.Of(e, id, distinct)
	for _, def := range w.catalogue.Of(e) {
		if err := oracle.Answer(w.catalogue, def, mine, int64(r.ReadAt)).Check(got[def.Name]); err != nil {
			t.Errorf("%s of %s %s: %v", def.Name, e, id, err)
		}
	}
}

// await waits until f has nothing to say.
func await(ctx context.Context, t *testing.T, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s: %v", patience, what, err)
		case <-tick.C:
		}
	}
}
