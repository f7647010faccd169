package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/jobs"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// liveWorld is a broker, a Redis and a running stream.
type liveWorld struct {
	*broker
	server *redis.Embedded
	redis  goredis.UniversalClient
	store  *redis.Store
	keys   redis.Keys
}

func startLive(t *testing.T) *liveWorld {
	t.Helper()
	w := &liveWorld{broker: startBroker(t)}
	var err error
	if w.server, err = redis.StartEmbedded(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.server.Close)
	if w.redis, err = redis.Dial(w.server.Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.redis.Close() })
	w.store = redis.NewStore(w.redis)
	catalogue, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	w.keys = redis.Keys{Partition: kafka.PartitionOf("u1", 2), Namespace: tile.Namespace(catalogue)}
	ctx, stop := context.WithCancel(t.Context())
	var logs lines
	exited := make(chan int, 1)
	args := []string{"--log", "warn", "stream", "--listen", "127.0.0.1:0", "--kafka", w.addr, "--data", w.data, "--redis", w.server.Addr()}
	go func() { exited <- jobs.Main(jobs.Env{Context: ctx, Args: args, Stdout: &logs, Stderr: &logs}) }()
	t.Cleanup(func() {
		stop()
		if code := <-exited; code != 0 {
			t.Errorf("stream exits with %d:\n%s", code, logs.String())
		}
	})
	return w
}

// await returns the fence of the partition as soon as it satisfies ok.
func (w *liveWorld) await(what string, ok func(redis.Fence) bool) redis.Fence {
	w.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		fence, _, found, err := w.store.ReadFence(w.t.Context(), w.keys)
		if err != nil {
			w.t.Fatal(err)
		}
		if found && ok(fence) {
			return fence
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			w.t.Fatalf("not within 30 s: %s; the fence is %+v", what, fence)
		}
	}
}

func (w *liveWorld) blob(incarnation string) string {
	w.t.Helper()
	v, err := w.redis.Get(w.t.Context(), w.keys.User(incarnation, "u1")).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// keysOf counts the keys that contain a text.
func (w *liveWorld) keysOf(text string) (n int) {
	for _, name := range w.server.Server().Keys() {
		if strings.Contains(name, text) {
			n++
		}
	}
	return n
}

// TestStreamRebuild rebuilds a partition beside its running stream: a new incarnation is filled from the
// floor to the same state, and what is left of the old one is cleaned up.
func TestStreamRebuild(t *testing.T) {
	w := startLive(t)
	for i := range 20 {
		value := fmt.Sprintf(`{"event_id":"e%d","user_id":"u1","item_id":"i%d","type":"view","event_time":"2026-01-20T10:00:00Z"}`, i, i%3)
		w.produce(&kgo.Record{Topic: "events", Key: []byte("u1"), Value: []byte(value)})
	}
	flags := fmt.Sprintf(" --redis %s", w.server.Addr())
	one := fmt.Sprintf(" --partition %d", w.keys.Partition)
	old := w.await("20 events applied", func(f redis.Fence) bool { return f.Next == 20 })
	before := w.blob(old.Incarnation)

	w.expect(2, "stream rebuild --partition 2"+flags, "--partition 2: the events topic has 2 partitions")
	w.expect(2, "stream rebuild"+flags+one, "say --yes")
	stdout, _, _ := w.run(strings.Fields("stream rebuild" + flags + one)...)
	if !strings.Contains(stdout, fmt.Sprintf("partition %d of %s (incarnation %s, epochs from 0 on, at offset 20): would be dropped, and filled anew from offset 0 on, 20 records",
		w.keys.Partition, w.keys.Namespace, old.Incarnation)) {
		t.Errorf("the plan is: %s", stdout)
	}
	if f := w.await("unchanged", func(redis.Fence) bool { return true }); f.Incarnation != old.Incarnation {
		t.Fatal("a plan has rebuilt")
	}

	w.expect(0, "stream rebuild --yes"+flags+one, "dropped; a running `anabranch stream` fills it anew from offset 0 on, 20 records")
	fresh := w.await("a new incarnation that is whole", func(f redis.Fence) bool { return f.Incarnation != old.Incarnation && f.Next == 20 })
	if after := w.blob(fresh.Incarnation); after != before {
		t.Error("the rebuilt state differs")
	}
	if w.keysOf(old.Incarnation) == 0 {
		t.Fatal("nothing is left to clean up, so that the rest proves nothing")
	}
	retired := redis.Keys{Partition: 0, Namespace: "0123456789ab-v1"} // of a definition that nobody needs
	if _, err := w.store.NewCommitter(retired).Open(t.Context(), redis.Fence{TopicID: "t", Incarnation: old.Incarnation}); err != nil {
		t.Fatal(err)
	}
	w.expect(2, "stream rebuild --clean"+flags, "say --yes")
	w.expect(0, "stream rebuild --clean --yes"+flags, "and the namespaces [0123456789ab-v1]")
	if n := w.keysOf(old.Incarnation) + w.keysOf(retired.Namespace); n != 0 {
		t.Errorf("%d old keys are left", n)
	}
	if w.blob(fresh.Incarnation) != before {
		t.Error("the living state was touched")
	}
	w.expect(0, "stream rebuild --clean --yes --json"+flags, `{"namespaces":[],"keys":0}`)
}

// TestStreamRebuildRefusesWhatKafkaLacks: the state could not be filled again, so it stays.
func TestStreamRebuildRefusesWhatKafkaLacks(t *testing.T) {
	w := startLive(t)
	for i := range 4 {
		value := fmt.Sprintf(`{"event_id":"e%d","user_id":"u1","item_id":"i1","type":"view","event_time":"2026-01-20T10:00:00Z"}`, i)
		w.produce(&kgo.Record{Topic: "events", Key: []byte("u1"), Value: []byte(value)})
	}
	old := w.await("4 events applied", func(f redis.Fence) bool { return f.Next == 4 })
	w.trimLog("events", w.keys.Partition, 2)
	flags := fmt.Sprintf(" --redis %s --partition %d", w.server.Addr(), w.keys.Partition)
	w.expect(2, "stream rebuild --yes"+flags, "Kafka lacks 2 records from there on")
	if f := w.await("unchanged", func(redis.Fence) bool { return true }); f.Incarnation != old.Incarnation {
		t.Error("the state is gone")
	}
}
