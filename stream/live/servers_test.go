package live

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// These name real servers for the suite: Kafka as host:port[,host:port], Redis as host:port or URL.
const (
	realKafka = "ANABRANCH_TEST_KAFKA"
	realRedis = "ANABRANCH_TEST_REDIS"
)

const deadline = 30 * time.Second

// system is a Kafka and a Redis with topics and keys of the test's own.
type system struct {
	t          testing.TB
	seeds      []string
	broker     *kafka.Embedded // nil for a real one
	client     *kgo.Client
	redis      goredis.UniversalClient
	redisAddr  string
	topic, dlq string
	partitions int32
	catalogue  feature.Catalogue

	mu     sync.Mutex
	oracle oracle
	marks  int64
	cuts   map[int64]model.Cut // by mark
	floor  int64
}

func newSystem(t testing.TB, partitions int32) *system {
	t.Helper()
	id := strings.ToLower(ulid.Make().String())
	s := &system{t: t, topic: "events-" + id, dlq: "dlq-" + id, partitions: partitions, cuts: map[int64]model.Cut{}}
	s.startServers()
	var err error
	if s.client, err = kafka.Dial(s.seeds, nil, kafka.Local(), kgo.ConsumeTopics(s.dlq), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.createTopics()
	t.Cleanup(s.removeTopics)
	// Each system has a namespace of its own through a feature that nobody reads.
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	extra := feature.Definition{Name: "x" + id, Entity: feature.User, Aggregate: feature.Count, Window: feature.Hour}
	c.Features = append(c.Features, extra)
	s.catalogue = c
	return s
}

func (s *system) startServers() {
	if seeds := os.Getenv(realKafka); seeds != "" {
		s.seeds = strings.Split(seeds, ",")
	} else {
		broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() {
			if err := broker.Close(); err != nil {
				s.t.Errorf("close broker: %v", err)
			}
		})
		s.broker, s.seeds = broker, []string{broker.Addr()}
	}
	if s.redisAddr = os.Getenv(realRedis); s.redisAddr == "" {
		server, err := redis.StartEmbedded("")
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(server.Close)
		s.redisAddr = server.Addr()
	}
	s.redis = s.dialRedis()
}

func (s *system) dialRedis() goredis.UniversalClient {
	client, err := redis.Dial(s.redisAddr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (s *system) createTopics() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	admin := kadm.NewClient(s.client)
	for topic, n := range map[string]int32{s.topic: s.partitions, s.dlq: 1} {
		if _, err := admin.CreateTopic(ctx, n, 1, nil, topic); err != nil {
			s.t.Fatal(err)
		}
	}
	s.await("topics", func() bool {
		details, err := admin.ListTopics(ctx, s.topic, s.dlq)
		return err == nil && details.Error() == nil && len(details[s.topic].Partitions) == int(s.partitions)
	})
}

// removeTopics cleans up a real broker, which other tests share.
func (s *system) removeTopics() {
	if s.broker != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if _, err := kadm.NewClient(s.client).DeleteTopics(ctx, s.topic, s.dlq); err != nil {
		s.t.Errorf("remove topics: %v", err)
	}
}

// await waits until a condition holds.
func (s *system) await(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(deadline)
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%s: not within %s", what, deadline)
		}
	}
}

func (s *system) produce(events ...event.Event) {
	s.t.Helper()
	records := make([]*kgo.Record, len(events))
	for i := range events {
		value, err := events[i].Encode()
		if err != nil {
			s.t.Fatal(err)
		}
		records[i] = &kgo.Record{Topic: s.topic, Key: []byte(events[i].UserID), Value: value}
	}
	s.send(records, func(i int) entry { return entry{event: events[i]} })
}

func (s *system) garbage(values ...string) {
	s.t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: s.topic, Key: []byte("u1"), Value: []byte(v)}
	}
	s.send(records, func(int) entry { return entry{invalid: true} })
}

// send produces records and notes them for the oracle, in the order of their offsets.
func (s *system) send(records []*kgo.Record, note func(i int) entry) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := s.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	for i, r := range records {
		x := note(i)
		x.partition, x.offset = r.Partition, r.Offset
		s.oracle.log = append(s.oracle.log, x)
	}
}

// mark writes the next mark to every partition.
func (s *system) mark() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	s.marks++
	s.cuts[s.marks] = model.Cut{}
	for p := range s.partitions {
		offset, err := kafka.WriteMark(ctx, s.client, s.topic, p, s.marks, []byte(`{}`))
		if err != nil {
			s.t.Fatal(err)
		}
		s.cuts[s.marks][p] = offset
		s.oracle.log = append(s.oracle.log, entry{partition: p, offset: offset, isMark: true, mark: s.marks})
	}
}

func (s *system) raiseFloor(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor = n
}

// config is that of a runner whose Redis client is client.
func (s *system) config(client goredis.UniversalClient) Config {
	return Config{
		Seeds: s.seeds, Partitions: s.partitions, Redis: client, Catalogue: s.catalogue,
		Origin: func(_ context.Context, p int32) (Origin, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return OriginOf(s.floor, s.cuts[s.floor-1], p)
		},
		Floor: func() int64 { s.mu.Lock(); defer s.mu.Unlock(); return s.floor },
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Group: "live-" + s.topic, Topic: s.topic, DeadLettersTopic: s.dlq,
		BatchRecords: 64, CheckEvery: 50 * time.Millisecond,
		KafkaOptions: []kgo.Opt{kafka.Local(), kgo.HeartbeatInterval(100 * time.Millisecond)},
	}
}

// start runs a runner; stop ends it and reports what it returned.
func (s *system) start(cfg Config) (r *Runner, stop func()) {
	s.t.Helper()
	r, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				s.t.Errorf("run: %v", err)
			}
		})
	}
	s.t.Cleanup(stop)
	return r, stop
}

func (s *system) keys(p int32) redis.Keys {
	return redis.Keys{Partition: p, Namespace: tile.Namespace(s.catalogue)}
}

// fences returns the stored fences; ok says that there is one for every partition.
func (s *system) fences() (all map[int32]redis.Fence, ok bool) {
	all = map[int32]redis.Fence{}
	store := redis.NewStore(s.redis)
	for p := range s.partitions {
		f, _, found, err := store.ReadFence(context.Background(), s.keys(p))
		if err != nil || !found {
			return nil, false
		}
		all[p] = f
	}
	return all, true
}

// awaitCaughtUp waits until every fence has reached the end of its partition.
func (s *system) awaitCaughtUp() {
	s.t.Helper()
	end, err := kafka.EndOffsets(context.Background(), s.client, s.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	s.await("fences at the end of the log", func() bool {
		fences, ok := s.fences()
		if !ok {
			return false
		}
		for p, f := range fences {
			if f.Next != end[p] {
				return false
			}
		}
		return true
	})
}

// check compares every user's, item's and the global state in Redis with the oracle, over epochs ≥ cut.
func (s *system) check(cut int64) {
	s.t.Helper()
	now := time.Now().UnixMilli()
	fences, ok := s.fences()
	if !ok {
		s.t.Fatal("a fence is missing")
	}
	users, items := map[string]bool{}, map[string]bool{}
	for _, x := range s.oracle.log {
		if !x.isMark && !x.invalid {
			users[x.event.UserID], items[x.event.ItemID] = true, true
		}
	}
	for user := range users {
		p := event.PartitionOf([]byte(user), s.partitions)
		s.compare(feature.User, user, -1, cut, now, s.keys(p).User(fences[p].Incarnation, user))
	}
	for p, f := range fences {
		for item := range items {
			s.compare(feature.Item, item, p, cut, now, s.keys(p).Item(f.Incarnation, item))
		}
		s.compare(feature.Global, "", p, cut, now, s.keys(p).Global(f.Incarnation))
	}
}

func (s *system) compare(entity feature.Entity, who string, p int32, cut, now int64, key string) {
	s.t.Helper()
	plan, err := tile.Compile(s.catalogue, entity)
	if err != nil {
		s.t.Fatal(err)
	}
	blob, err := s.redis.Get(context.Background(), key).Bytes()
	if err != nil && err != goredis.Nil { //nolint:errorlint // go-redis returns Nil itself
		s.t.Fatal(err)
	}
	r := plan.NewReader()
	r.Begin(now)
	if _, err := r.AddState(blob, cut); err != nil {
		s.t.Fatal(err)
	}
	for i, f := range plan.Features {
		if err := s.oracle.answer(s.catalogue, f.Def, who, p, cut, now).Check(r.Value(i)); err != nil {
			s.t.Errorf("%s of %s %q in partition %d from epoch %d: %v", f.Def.Name, entity, who, p, cut, err)
		}
	}
}

// someEvents makes n events of a few users, with some repeated ids.
func someEvents(from, n int) []event.Event {
	out := make([]event.Event, n)
	category := "hats"
	for i := range out {
		k := from + i
		out[i] = event.Event{
			ID: fmt.Sprint("e", k-k%13%2), UserID: fmt.Sprint("u", k%7), ItemID: fmt.Sprint("i", k*k%11),
			Type: []string{"view", "cart", "purchase"}[k%3], Time: event.MillisOf(time.Now()) - event.Millis(k%50*hourMs),
		}
		if k%2 == 0 {
			out[i].Stamp = &event.Stamp{Category: &category}
		}
	}
	return out
}

// metric returns a runner's metric of the subsystem live with the given label value, 0 where it is absent.
func metric(t testing.TB, r *Runner, name, label string) float64 {
	t.Helper()
	families, err := r.cfg.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "anabranch_live_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); len(labels) == 0 && label == "" || len(labels) > 0 && labels[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
