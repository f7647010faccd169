package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAcknowledgedRecordsSurviveKill(t *testing.T) {
	dir := t.TempDir()
	var topics Topics
	acked := map[string]place{}
	for round := range 3 {
		broker := startChild(t, dir, "")
		client := dial(t, broker.addr)
		got := ensure(t, client, Spec{Partitions: 4})
		if round > 0 && got != topics {
			t.Fatalf("round %d: topics are %+v, were %+v", round, got, topics)
		}
		topics = got
		produceUntilKilled(t, broker, client, round, acked)
	}
	held := map[place]string{}
	for partition, records := range readAll(t, start(t, dir).Addr(), EventsTopic) {
		for i, r := range records {
			if r.Offset != int64(i) {
				t.Fatalf("partition %d: record %d has offset %d", partition, i, r.Offset)
			}
			held[place{partition, r.Offset}] = string(r.Value)
		}
	}
	for value, at := range acked {
		if held[at] != value {
			t.Errorf("%s was acknowledged at %+v, which holds %q", value, at, held[at])
		}
	}
	t.Logf("%d records acknowledged, %d held", len(acked), len(held))
}

type place struct {
	partition int32
	offset    int64
}

// produceUntilKilled kills the broker while records are in flight and adds those that were
// acknowledged before that.
func produceUntilKilled(t *testing.T, broker *child, client *kgo.Client, round int, acked map[string]place) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		mu     sync.Mutex
		count  int
		enough = make(chan struct{})
	)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			value := fmt.Sprintf("round %d record %d", round, i)
			client.Produce(ctx, &kgo.Record{Topic: EventsTopic, Key: fmt.Append(nil, i), Value: []byte(value)}, func(r *kgo.Record, err error) {
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				acked[value] = place{r.Partition, r.Offset}
				if count++; count == 2000 {
					close(enough)
				}
			})
		}
	}()
	select {
	case <-enough:
	case <-deadline(t).Done():
		t.Fatal("the broker acknowledges nothing")
	}
	broker.kill()
	cancel()
	client.Close() // fails what is in flight, so that no callback comes later
}

func TestTornTailIsCutOff(t *testing.T) {
	dir := t.TempDir()
	produceOne := func(addr, value string) {
		client := dial(t, addr)
		ensure(t, client, Spec{Partitions: 1})
		produce(t, client, &kgo.Record{Topic: EventsTopic, Key: []byte("u"), Value: []byte(value)})
	}
	broker := startChild(t, dir, "")
	produceOne(broker.addr, "first")
	produceOne(broker.addr, "second")
	broker.kill()

	// What a crash in the middle of a write leaves: half a batch and half an index entry.
	tear(t, filepath.Join(dir, "partitions", "events-0", "0.dat"), 40)
	tear(t, filepath.Join(dir, "partitions", "events-0", "0.idx"), 7)

	broker = startChild(t, dir, "")
	produceOne(broker.addr, "third")
	broker.kill()
	var values []string
	for _, r := range readAll(t, start(t, dir).Addr(), EventsTopic)[0] {
		values = append(values, fmt.Sprint(r.Offset, " ", string(r.Value)))
	}
	if diff := cmp.Diff([]string{"0 first", "1 second", "2 third"}, values); diff != "" {
		t.Error(diff)
	}
}

// tear repeats the first n bytes of a file at its end.
func tear(t *testing.T, path string, n int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, raw[:n]...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestGroupOffsetsSurviveKill(t *testing.T) {
	dir := t.TempDir()
	broker := startChild(t, dir, "")
	client := dial(t, broker.addr)
	ensure(t, client, Spec{Partitions: 2})
	var want kadm.Offsets
	want.Add(kadm.Offset{Topic: EventsTopic, Partition: 1, At: 42, LeaderEpoch: -1})
	if err := kadm.NewClient(client).CommitAllOffsets(deadline(t), "live", want); err != nil {
		t.Fatal(err)
	}
	broker.kill()
	got, err := kadm.NewClient(dial(t, start(t, dir).Addr())).FetchOffsets(deadline(t), "live")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := got.Lookup(EventsTopic, 1); !ok || o.At != 42 {
		t.Errorf("committed offset is %+v, %v, want 42", o, ok)
	}
}

// A producer that outlives its broker goes on where the same port is served again: nothing that was
// acknowledged is lost, nothing fails. Repeats are allowed, see TestRetryAcrossBrokers.
func TestProducerOutlivesBrokers(t *testing.T) {
	for name, ends := range map[string][]func(*child){
		"killed": {(*child).kill, (*child).kill, (*child).kill},
		// The sequence numbers that the clean stop saved are stale when the second broker is killed.
		"stopped, then killed": {(*child).stop, (*child).kill, (*child).kill},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			broker := startChild(t, dir, "")
			client := dial(t, broker.addr, kgo.ProducerLinger(0), kgo.MaxBufferedRecords(50))
			ensure(t, client, Spec{Partitions: 1})
			for round, end := range ends {
				half, done := produceRound(t, client, round)
				<-half
				end(broker)
				broker = startChild(t, dir, broker.addr)
				<-done
			}
			checkNoneLost(t, broker.addr, len(ends))
		})
	}
}

// perRound is the number of records of one round; their values are round*perRound and up.
const perRound = 1000

// produceRound produces records in the background. half closes when half of them are acknowledged,
// done when all of them are.
func produceRound(t *testing.T, client *kgo.Client, round int) (half, done chan struct{}) {
	ctx := deadline(t)
	half, done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var results sync.WaitGroup
		var once sync.Once
		for i := range perRound {
			results.Add(1)
			record := &kgo.Record{Topic: EventsTopic, Key: []byte("u"), Value: fmt.Append(nil, round*perRound+i)}
			client.Produce(ctx, record, func(_ *kgo.Record, err error) {
				defer results.Done()
				if err != nil {
					t.Errorf("round %d, record %d: %v", round, i, err)
				}
				if i >= perRound/2 || err != nil {
					once.Do(func() { close(half) })
				}
			})
		}
		results.Wait()
	}()
	return half, done
}

func checkNoneLost(t *testing.T, addr string, rounds int) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range readAll(t, addr, EventsTopic)[0] {
		seen[string(r.Value)]++
	}
	repeats := 0
	for i := range rounds * perRound {
		switch n := seen[fmt.Sprint(i)]; {
		case n == 0:
			t.Errorf("record %d was acknowledged and is gone", i)
		case n > 1:
			repeats++
		}
	}
	t.Logf("%d of %d records were appended twice", repeats, rounds*perRound)
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	broker := startChild(t, dir, "")
	if _, err := StartEmbedded(EmbeddedConfig{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("second broker on the directory: %v, want ErrLocked", err)
	}
	broker.kill()
	start(t, dir) // the kernel released the lock of the dead process
	if _, err := StartEmbedded(EmbeddedConfig{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("second broker in this process: %v, want ErrLocked", err)
	}
}

func TestEmbeddedListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:9092", "example.org:9092", "9092"} {
		if e, err := StartEmbedded(EmbeddedConfig{Addr: addr}); err == nil {
			t.Errorf("listens on %s", e.Addr())
			_ = e.Close()
		}
	}
	taken := start(t, "")
	if _, err := StartEmbedded(EmbeddedConfig{Addr: taken.Addr()}); err == nil {
		t.Error("two brokers on one address")
	}
}

func TestCleanRestartKeepsTopicsAndRecords(t *testing.T) {
	dir := t.TempDir()
	broker, err := StartEmbedded(EmbeddedConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, broker.Addr())
	topics := ensure(t, client, Spec{Partitions: 3})
	produce(t, client, &kgo.Record{Topic: EventsTopic, Key: []byte("u"), Value: []byte("v")})
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if got := ensure(t, dial(t, again.Addr()), Spec{Partitions: 3}); got != topics {
		t.Errorf("topics are %+v, were %+v", got, topics)
	}
	if records := readAll(t, again.Addr(), EventsTopic)[PartitionOf("u", 3)]; len(records) != 1 {
		t.Errorf("%d records, want 1", len(records))
	}
}
