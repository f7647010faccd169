package kafka

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// follower runs Follow and hands its calls to the test one at a time.
type follower struct {
	applied chan string
	ready   chan struct{}
	done    chan error
	stop    context.CancelFunc
}

func follow(t *testing.T, addr, topic string) *follower {
	ctx, stop := context.WithCancel(deadline(t))
	f := &follower{applied: make(chan string, 1000), ready: make(chan struct{}), done: make(chan error, 1), stop: stop}
	table := Table{
		Apply: func(key, value []byte, offset int64) {
			if value == nil {
				f.applied <- fmt.Sprintf("%d -%s", offset, key)
				return
			}
			f.applied <- fmt.Sprintf("%d %s=%s", offset, key, value)
		},
		Ready: func() { close(f.ready) }, // panics when it is called twice
	}
	go func() { f.done <- table.Follow(ctx, []string{addr}, testLogger(t), topic, Local(), fastRetry()) }()
	t.Cleanup(stop)
	return f
}

func (f *follower) wait(t *testing.T) {
	t.Helper()
	select {
	case <-f.ready:
	case err := <-f.done:
		t.Fatalf("ended: %v", err)
	}
}

func (f *follower) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-f.applied:
		return s
	case err := <-f.done:
		t.Fatalf("ended: %v", err)
		return ""
	}
}

func item(key, value string) *kgo.Record {
	r := &kgo.Record{Topic: ItemsTopic, Key: []byte(key)}
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

func TestFollowReadsAllThenIsReadyThenFollows(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{})
	produce(t, client, item("a", "1"), item("b", "1"), item("a", "2"), item("b", ""))
	f := follow(t, broker.Addr(), ItemsTopic)
	f.wait(t)
	var got []string
	for range 4 { // all of it was applied before Ready
		got = append(got, <-f.applied)
	}
	if diff := cmp.Diff([]string{"0 a=1", "1 b=1", "2 a=2", "3 -b"}, got); diff != "" {
		t.Error(diff)
	}
	produce(t, client, item("c", "1"))
	if s := f.next(t); s != "4 c=1" {
		t.Errorf("followed %q", s)
	}
	f.stop()
	if err := <-f.done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestFollowOfAnEmptyTopicIsReadyAtOnce(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{})
	f := follow(t, broker.Addr(), ItemsTopic)
	f.wait(t)
	produce(t, client, item("a", "1"))
	if s := f.next(t); s != "0 a=1" {
		t.Errorf("followed %q", s)
	}
	f.stop()
	if err := <-f.done; err != nil {
		t.Error(err)
	}
}

// TestFollowOfATransactionalTail: the last offset is that of a control record, which is no row.
func TestFollowOfATransactionalTail(t *testing.T) {
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		t.Run(fmt.Sprint("commit ", end), func(t *testing.T) {
			broker := start(t, "")
			client := dial(t, broker.Addr())
			ensure(t, client, Spec{})
			produce(t, client, item("a", "1"))
			writer := dial(t, broker.Addr(), kgo.TransactionalID("writer"))
			if err := writer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			produce(t, writer, item("b", "1"))
			if err := writer.EndTransaction(deadline(t), end); err != nil {
				t.Fatal(err)
			}
			f := follow(t, broker.Addr(), ItemsTopic)
			f.wait(t)
			want := []string{"0 a=1", "1 b=1"}
			if end == kgo.TryAbort {
				want = want[:1]
			}
			produce(t, client, item("c", "1"))
			for _, row := range append(want, "3 c=1") {
				if s := f.next(t); s != row {
					t.Errorf("applied %q, want %q", s, row)
				}
			}
		})
	}
}

func TestFollowOfACompactedTopic(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{})
	for i := range 10 {
		produce(t, client, item("a", fmt.Sprint(i)), item(fmt.Sprint("k", i), "v"))
	}
	broker.Cluster().Compact()
	produce(t, client, item("k3", ""))
	f := follow(t, broker.Addr(), ItemsTopic)
	f.wait(t)
	f.stop()
	if err := <-f.done; err != nil {
		t.Error(err)
	}
	close(f.applied)
	last := map[string]bool{}
	for s := range f.applied {
		var offset int
		var change string
		if _, err := fmt.Sscan(s, &offset, &change); err != nil {
			t.Fatal(err)
		}
		last[change] = true
	}
	if !last["a=9"] || !last["k0=v"] || !last["-k3"] || last["a=0"] {
		t.Errorf("applied %v", maps.Collect(maps.All(last)))
	}
}

func TestFollowOfAMissingTopicFails(t *testing.T) {
	f := follow(t, start(t, "").Addr(), "absent")
	if err := <-f.done; err == nil {
		t.Error("no error")
	}
}

func TestFollowGoesOnAcrossARestartOfTheBroker(t *testing.T) {
	dir := t.TempDir()
	broker := startChild(t, dir, "")
	client := dial(t, broker.addr)
	ensure(t, client, Spec{})
	produce(t, client, item("a", "1"))
	f := follow(t, broker.addr, ItemsTopic)
	f.wait(t)
	if s := f.next(t); s != "0 a=1" {
		t.Errorf("applied %q", s)
	}
	broker.kill()
	broker = startChild(t, dir, broker.addr)
	produce(t, dial(t, broker.addr), item("a", "2"))
	if s := f.next(t); s != "1 a=2" {
		t.Errorf("followed %q", s)
	}
	f.stop()
	if err := <-f.done; err != nil {
		t.Error(err)
	}
}

func TestFollowFailsWhenTheTopicIsRecreated(t *testing.T) {
	broker := start(t, "")
	client := dial(t, broker.Addr())
	ensure(t, client, Spec{})
	produce(t, client, item("a", "1"), item("b", "1"))
	f := follow(t, broker.Addr(), ItemsTopic)
	f.wait(t)
	if err := broker.Cluster().DeleteTopic(ItemsTopic); err != nil {
		t.Fatal(err)
	}
	ensure(t, client, Spec{})
	// A client never adopts the new id of a topic it has used, so this one has to be new.
	produce(t, dial(t, broker.Addr()), item("c", "1"), item("c", "2"), item("c", "3"))
	if err := <-f.done; err == nil {
		t.Error("no error: the table holds the keys of a topic that is gone")
	}
}
