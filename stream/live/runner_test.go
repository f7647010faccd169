package live

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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
	if hits, misses := metric(t, r, "cache_hits_total", ""), metric(t, r, "cache_misses_total", ""); hits == 0 || misses != 7+3*6+3 { // users, and in each partition six items and the global one
		t.Errorf("the cache had %v states and lacked %v; want some, and each state once", hits, misses)
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
			e := someEvents(100, 1)[0]
			value, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := writer.ProduceSync(ctx, &kgo.Record{Topic: s.topic, Key: []byte(e.UserID), Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := writer.EndTransaction(ctx, end); err != nil {
				t.Fatal(err)
			}
			if end == kgo.TryCommit {
				s.oracle.log = append(s.oracle.log, entry{offset: 20, event: e})
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
