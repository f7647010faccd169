package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/stream/ingest/deadletter"
)

func TestRunnerAppliesEverything(t *testing.T) {
	s := newSystem(t, 3)
	s.produce(someEvents(0, 300)...)
	r, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
	s.mark()
	s.garbage("{", `{"event_id":"x"}`)
	s.produce(someEvents(300, 300)...)
	s.awaitCaughtUp()
	s.check(0)
	s.check(1)
	for _, p := range r.Status() {
		if !p.Running || p.Halted {
			t.Errorf("partition %d: %+v", p.Partition, p)
		}
	}
	if got := metric(t, r, "dead_letters_total", "malformed") + metric(t, r, "dead_letters_total", "required"); got != 2 {
		t.Errorf("%v dead letters were counted, want 2", got)
	}
	stop()
	s.checkLagIsShown()
}

// checkLagIsShown compares the group's committed offsets with the fences.
func (s *system) checkLagIsShown() {
	s.t.Helper()
	committed, err := kadm.NewClient(s.client).FetchOffsets(context.Background(), "live-"+s.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	fences, _ := s.fences()
	for p, f := range fences {
		if o, ok := committed.Lookup(s.topic, p); !ok || o.At != f.Next {
			s.t.Errorf("partition %d: committed %d, the fence is at %d", p, o.At, f.Next)
		}
	}
}

func TestRunnerBuriesInvalidRecords(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 5)...)
	s.garbage("not json")
	_, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	records := s.client.PollFetches(ctx).Records()
	if len(records) != 1 {
		t.Fatalf("%d dead letters, want 1", len(records))
	}
	headers := map[string]string{}
	for _, h := range records[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	fences, _ := s.fences()
	if headers[deadletter.HeaderTopicID] != fences[0].TopicID || headers[deadletter.HeaderPartition] != "0" ||
		headers[deadletter.HeaderOffset] != "5" || headers[deadletter.HeaderReason] != "malformed" || string(records[0].Value) != "not json" {
		t.Errorf("dead letter %q has headers %v", records[0].Value, headers)
	}
}

// TestRepeatedContentType: the last header counts, here as in the archive.
func TestRepeatedContentType(t *testing.T) {
	s := newSystem(t, 1)
	events := someEvents(0, 2)
	records := make([]*kgo.Record, len(events))
	for i, types := range [][2]string{{"text/csv", event.ContentTypeJSON}, {event.ContentTypeJSON, "text/csv"}} {
		value, err := events[i].Encode()
		if err != nil {
			t.Fatal(err)
		}
		records[i] = &kgo.Record{Topic: s.topic, Key: []byte(events[i].UserID), Value: value}
		for _, v := range types {
			records[i].Headers = append(records[i].Headers, kgo.RecordHeader{Key: event.ContentTypeHeader, Value: []byte(v)})
		}
	}
	s.send(records, func(i int) entry { return entry{event: events[i], invalid: i == 1} })
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
}

// TestTransactionalTail: a log that ends with control records is caught up at its end, and they are no letters.
func TestTransactionalTail(t *testing.T) {
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		t.Run(fmt.Sprint("commit ", end), func(t *testing.T) {
			s := newSystem(t, 1)
			s.produce(someEvents(0, 20)...)
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			writer, err := kafka.Dial(s.seeds, nil, kafka.Local(), kgo.TransactionalID("writer-"+s.topic))
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if err := writer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			value, err := someEvents(100, 1)[0].Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := writer.ProduceSync(ctx, &kgo.Record{Topic: s.topic, Key: []byte(someEvents(100, 1)[0].UserID), Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := writer.EndTransaction(ctx, end); err != nil {
				t.Fatal(err)
			}
			if end == kgo.TryCommit {
				s.oracle.log = append(s.oracle.log, entry{offset: 20, event: someEvents(100, 1)[0]})
			}
			r, _ := s.start(s.config(s.redis))
			s.awaitCaughtUp()
			s.check(0)
			if f, _ := s.fences(); f[0].Next != 22 || !f[0].Filled() {
				t.Errorf("fence %+v, want it filled at 22", f[0])
			}
			if n := metric(t, r, "dead_letters_total", "malformed") + metric(t, r, "dead_letters_total", "required"); n != 0 {
				t.Errorf("%v control records were buried", n)
			}
		})
	}
}

// TestClockAheadPrunesNothing: a runner whose clock is wrong keeps what everybody else reads.
func TestClockAheadPrunesNothing(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 60)...)
	cfg := s.config(s.redis)
	cfg.Clock = func() time.Time { return time.Now().Add(10 * 24 * time.Hour) }
	s.start(cfg)
	s.awaitCaughtUp()
	s.check(0)
}

// TestStatusFollowsCommits: the place of a partition is told while it runs and while it is halted.
func TestStatusFollowsCommits(t *testing.T) {
	s := newSystem(t, 1)
	place := func(r *Runner, next, end int64) func() bool {
		return func() bool {
			st := r.Status()
			return len(st) == 1 && st[0].Next == next && st[0].End == end && metric(t, r, "lag_records", "0") == float64(end-next)
		}
	}
	r, stop := s.start(s.config(s.redis))
	for i := range 3 {
		s.produce(someEvents(20*i, 20)...)
		s.await("the status after a commit", place(r, int64(20*i+20), int64(20*i+20)))
	}
	stop()
	s.produce(someEvents(60, 30)...)
	offsets := kadm.Offsets{}
	offsets.AddOffset(s.topic, 0, 70, -1)
	if _, err := kadm.NewClient(s.client).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	r, _ = s.start(s.config(s.redis))
	s.await("a halt", func() bool { st := r.Status(); return len(st) == 1 && st[0].Halted })
	s.await("the lag of a halted partition", place(r, 60, 90))
	s.produce(someEvents(90, 5)...)
	s.await("the lag to grow while it is halted", place(r, 60, 95))
}

// fault is a hook of go-redis that fails calls before or after they reach the server.
type fault struct {
	mu     sync.Mutex
	rng    *rand.Rand   // nil where every is 0
	every  atomic.Int64 // 1 in so many calls fails; 0: none
	before atomic.Bool  // every call fails before it is sent
	failed atomic.Int64
}

var errInjected = errors.New("injected fault")

func (f *fault) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (f *fault) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (f *fault) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		strike, unsent := f.draw()
		if f.before.Load() || strike && unsent {
			f.failed.Add(1)
			cmd.SetErr(errInjected)
			return errInjected
		}
		err := next(ctx, cmd)
		if strike { // the server executed it, the answer is lost
			f.failed.Add(1)
			cmd.SetErr(errInjected)
			return errInjected
		}
		return err
	}
}

// draw decides whether a call fails, and if so whether before it is sent.
func (f *fault) draw() (strike, unsent bool) {
	every := f.every.Load()
	if every == 0 {
		return false, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.Int64N(every) == 0, f.rng.IntN(2) == 0
}

func TestRunnerSurvivesFaultsAndKills(t *testing.T) {
	s := newSystem(t, 2)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the faults: %d", seed)
	f := fault{rng: rand.New(rand.NewPCG(seed, 0))}
	f.every.Store(4)
	for round := range 6 {
		client := s.dialRedis()
		client.AddHook(&f)
		cfg := s.config(client)
		cfg.BatchRecords, cfg.CacheEntries = 7, 5 // so that states are evicted and loaded again
		_, stop := s.start(cfg)
		s.produce(someEvents(round*200, 200)...)
		if round%2 == 0 {
			s.mark()
			s.garbage("{")
		}
		before := f.failed.Load()
		s.await("some faults", func() bool { return f.failed.Load() > before+3 })
		stop()
	}
	f.every.Store(0)
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
	s.check(2)
}

func TestRunnerWaitsForRedis(t *testing.T) {
	s := newSystem(t, 2)
	var f fault
	client := s.dialRedis()
	client.AddHook(&f)
	f.before.Store(true)
	r, _ := s.start(s.config(client))
	s.produce(someEvents(0, 100)...)
	s.await("failed calls", func() bool { return f.failed.Load() > 4 })
	for _, p := range r.Status() {
		if p.Running {
			t.Errorf("partition %d says that it runs while Redis is away", p.Partition)
		}
	}
	f.before.Store(false)
	s.awaitCaughtUp()
	s.check(0)
}

func TestTwoRunnersFight(t *testing.T) {
	s := newSystem(t, 2)
	a := s.config(s.redis)
	b := s.config(s.dialRedis())
	b.Group += "-other" // another group: both own every partition
	a.BatchRecords, b.BatchRecords = 5, 8
	ra, _ := s.start(a)
	rb, _ := s.start(b)
	for i := range 10 {
		s.produce(someEvents(i*60, 60)...)
		if i%4 == 1 {
			s.mark()
		}
		s.awaitCaughtUp()
	}
	s.check(0)
	s.check(1)
	ahead := metric(t, ra, "fence_mismatches_total", "ahead") + metric(t, rb, "fence_mismatches_total", "ahead")
	if ahead == 0 {
		t.Error("the runners never met, so nothing was tested")
	}
}

func TestTwoRunnersShare(t *testing.T) {
	s := newSystem(t, 4)
	s.produce(someEvents(0, 100)...)
	first, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	second, _ := s.start(s.config(s.redis))
	var once sync.Once
	s.await("partitions to be shared", func() bool {
		once.Do(func() { s.produce(someEvents(100, 50)...) })
		return len(first.Status()) == 2 && len(second.Status()) == 2
	})
	s.produce(someEvents(150, 100)...)
	s.awaitCaughtUp()
	stop()
	s.produce(someEvents(250, 100)...)
	s.awaitCaughtUp()
	s.check(0)
}

func TestRedisLosesEverything(t *testing.T) {
	s := newSystem(t, 2)
	s.produce(someEvents(0, 200)...)
	r, _ := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.mark()
	s.produce(someEvents(200, 50)...)
	s.mark()
	s.produce(someEvents(230, 50)...) // partly repeats the epoch before: the refill has to know it
	s.awaitCaughtUp()
	before, _ := s.fences()
	s.raiseFloor(2)
	s.await("the base to rise", func() bool { f, ok := s.fences(); return ok && f[0].Base == 2 && f[1].Base == 2 })
	s.loseEverything()
	s.produce(someEvents(280, 50)...)
	s.awaitCaughtUp()
	after, _ := s.fences()
	for p, f := range after {
		if f.Incarnation == before[p].Incarnation || f.Base != 2 || f.Epoch != 2 || !f.Filled() {
			t.Errorf("partition %d: fence %+v does not look refilled from the floor", p, f)
		}
	}
	s.check(2)
	if metric(t, r, "fence_mismatches_total", "missing") == 0 {
		t.Error("no missing fence was counted")
	}
	if err := s.redis.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.produce(someEvents(330, 50)...)
	s.awaitCaughtUp()
	s.check(2)
}

// loseEverything empties an embedded Redis; in a real one, which may be shared, the system's keys go.
func (s *system) loseEverything() {
	s.t.Helper()
	if os.Getenv(realRedis) == "" {
		if err := s.redis.FlushAll(context.Background()).Err(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	_, err := s.redis.TxPipelined(context.Background(), func(p goredis.Pipeliner) error {
		for partition := range s.partitions {
			for k := range s.dump(partition) {
				p.Del(context.Background(), k)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestRedisFallsBack restores an older fence and states while the runner is idle.
func TestRedisFallsBack(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 100)...)
	r, _ := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	old := s.dump(0)
	s.produce(someEvents(100, 100)...)
	s.awaitCaughtUp()
	s.restore(old)
	s.await("the rollback to be noticed", func() bool {
		return metric(t, r, "fence_mismatches_total", "behind") > 0
	})
	s.awaitCaughtUp()
	s.check(0)
}

func (s *system) dump(partition int32) map[string]string {
	s.t.Helper()
	ctx := context.Background()
	out := map[string]string{}
	scan := s.redis.Scan(ctx, 0, s.keys(partition).Slot()+s.keys(partition).Namespace+"*", 1000).Iterator()
	for scan.Next(ctx) {
		out[scan.Val()] = s.redis.Get(ctx, scan.Val()).Val()
	}
	if scan.Err() != nil || len(out) == 0 {
		s.t.Fatalf("dumped %d keys: %v", len(out), scan.Err())
	}
	return out
}

// restore makes the partition's keys what they were, in one step.
func (s *system) restore(old map[string]string) {
	s.t.Helper()
	now := s.dump(0)
	_, err := s.redis.TxPipelined(context.Background(), func(p goredis.Pipeliner) error {
		for k := range now {
			p.Del(context.Background(), k)
		}
		for k, v := range old {
			p.Set(context.Background(), k, v, 0)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestCommittedOffsetsAreIgnored(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 50)...)
	offsets := kadm.Offsets{}
	offsets.AddOffset(s.topic, 0, 45, -1)
	if err := kadm.NewClient(s.client).CommitAllOffsets(t.Context(), "live-"+s.topic, offsets); err != nil {
		t.Fatal(err)
	}
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
}

func TestFloorRaisesBase(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 60)...)
	s.mark()
	s.produce(someEvents(60, 60)...)
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	before := len(s.dump(0)[s.keys(0).Global(s.incarnation())])
	s.raiseFloor(1)
	s.await("the base of an idle partition to rise", func() bool { f, _ := s.fences(); return f[0].Base == 1 })
	s.produce(someEvents(120, 60)...)
	s.awaitCaughtUp()
	s.check(1)
	if after := len(s.dump(0)[s.keys(0).Global(s.incarnation())]); after >= before {
		t.Errorf("the touched global state has %d bytes, %d before: epoch 0 was not dropped", after, before)
	}
}

func (s *system) incarnation() string {
	f, _ := s.fences()
	return f[0].Incarnation
}

func TestHalts(t *testing.T) {
	tests := []struct {
		name, want string
		harm       func(s *system)
	}{
		{"topic recreated", "deleted and created anew", func(s *system) {
			admin := kadm.NewClient(s.client)
			if _, err := admin.DeleteTopic(context.Background(), s.topic); err != nil {
				s.t.Fatal(err)
			}
			s.await("the topic to be created again", func() bool {
				_, err := admin.CreateTopic(context.Background(), 1, 1, nil, s.topic)
				return err == nil
			})
		}},
		{"records removed", "holds records from offset 80 on only", func(s *system) {
			s.produce(someEvents(50, 50)...)
			offsets := kadm.Offsets{}
			offsets.AddOffset(s.topic, 0, 80, -1)
			if _, err := kadm.NewClient(s.client).DeleteRecords(context.Background(), offsets); err != nil {
				s.t.Fatal(err)
			}
		}},
		{"fence beyond the log", "Kafka lost records", func(s *system) {
			fence, _ := s.fences()
			f := fence[0]
			f.Next += 1000
			raw, err := f.Encode()
			if err == nil {
				err = s.redis.Set(context.Background(), s.keys(0).Fence(), raw, 0).Err()
			}
			if err != nil {
				s.t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSystem(t, 1)
			s.produce(someEvents(0, 50)...)
			_, stop := s.start(s.config(s.redis))
			s.awaitCaughtUp()
			stop()
			before := s.dumpBlobs()
			tt.harm(s)
			r, _ := s.start(s.config(s.redis))
			s.await("a halt that says "+tt.want, func() bool {
				st := r.Status()
				return len(st) == 1 && st[0].Halted && strings.Contains(st[0].Reason, tt.want)
			})
			if metric(t, r, "halted", "0") != 1 {
				t.Error("the halt is not in the metrics")
			}
			for k, v := range s.dumpBlobs() {
				if before[k] != v {
					t.Error("a halted partition changed its state")
				}
			}
		})
	}
}

func (s *system) dumpBlobs() map[string]string {
	all := s.dump(0)
	delete(all, s.keys(0).Fence())
	return all
}

// TestOriginGone: Kafka no longer holds what a new fence has to start from.
func TestOriginGone(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 50)...)
	offsets := kadm.Offsets{}
	offsets.AddOffset(s.topic, 0, 20, -1)
	if _, err := kadm.NewClient(s.client).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	r, _ := s.start(s.config(s.redis))
	s.await("a halt", func() bool {
		st := r.Status()
		return len(st) == 1 && st[0].Halted && strings.Contains(st[0].Reason, "has to be filled from offset 0") &&
			strings.Contains(st[0].Reason, "anabranch import") && st[0].Next == 0 && st[0].End == 50
	})
	if _, ok := s.fences(); ok {
		t.Error("a fence was opened nevertheless")
	}
}

// TestFreshness: one event on an idle system is servable well below the half second of a fetch.
func TestFreshness(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 10)...)
	cfg := s.config(s.redis)
	cfg.CheckEvery = time.Minute
	s.start(cfg)
	s.awaitCaughtUp()
	best := time.Hour
	for i := range 20 {
		start := time.Now()
		s.produce(someEvents(10+i, 1)...)
		s.awaitCaughtUp()
		best = min(best, time.Since(start))
	}
	if best > 250*time.Millisecond {
		t.Errorf("the fastest of 20 events took %s to be servable", best)
	}
}

// TestStopsWithoutServers: neither Kafka nor Redis answers, and the runner still stops in time.
func TestStopsWithoutServers(t *testing.T) {
	s := newSystem(t, 2)
	if s.broker == nil {
		t.Skip("a real broker is not ours to stop")
	}
	s.produce(someEvents(0, 50)...)
	var f fault
	client := s.dialRedis()
	client.AddHook(&f)
	_, stop := s.start(s.config(client))
	s.awaitCaughtUp()
	s.broker.Cluster().Close()
	f.before.Store(true)
	s.await("failed calls", func() bool { return f.failed.Load() > 0 })
	start := time.Now()
	stop()
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Config.Seeds") {
		t.Errorf("got %v", err)
	}
}

// TestGroupsOfDefinitions: two definitions on one Kafka never split its partitions.
func TestGroupsOfDefinitions(t *testing.T) {
	a, b := newSystem(t, 2), newSystem(t, 2)
	var groups []string
	for _, s := range []*system{a, b} {
		cfg := s.config(s.redis)
		cfg.Group, cfg.Topic, cfg.Seeds, cfg.DeadLettersTopic = "", a.topic, a.seeds, a.dlq
		r, _ := s.start(cfg)
		groups = append(groups, r.cfg.Group)
	}
	if groups[0] == groups[1] || !strings.HasPrefix(groups[0], "anabranch-live-") {
		t.Errorf("groups %q", groups)
	}
	a.produce(someEvents(0, 40)...)
	a.awaitCaughtUp()
	b.topic, b.seeds, b.client, b.oracle = a.topic, a.seeds, a.client, a.oracle
	b.awaitCaughtUp()
	b.check(0)
}
