package jobs

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/stream/live"
)

// TestNamespacesRetire: a namespace goes when nobody has needed it for long enough. One that is kept up
// by runners elsewhere stays, as in a rolling deployment, and so does one that is needed here.
func TestNamespacesRetire(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	server, err := redis.StartEmbedded("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	rdb, err := redis.Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	client, err := kafka.Dial([]string{broker.Addr()}, nil, kafka.Local())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := kafka.EnsureTopics(t.Context(), client, kafka.Spec{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	const here, elsewhere, old = "aaaaaaaaaaaa-v1", "bbbbbbbbbbbb-v1", "cccccccccccc-v1"
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	s := &sweeper{
		store: redis.NewStore(rdb), client: client, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
		needed: func() []string { return []string{here} }, after: time.Hour, unneeded: map[string]time.Time{},
	}
	for _, namespace := range []string{here, elsewhere, old} {
		for p := range int32(2) {
			fence := redis.Fence{TopicID: "t", Incarnation: ulid.Make().String()}
			if _, err := s.store.NewCommitter(redis.Keys{Partition: p, Namespace: namespace}).Open(t.Context(), fence); err != nil {
				t.Fatal(err)
			}
		}
	}
	member, err := kafka.Dial([]string{broker.Addr()}, nil, kafka.Local(), kgo.ConsumerGroup(live.GroupOf(elsewhere)), kgo.ConsumeTopics("events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	awaitGroup(t, client, live.GroupOf(elsewhere), true)
	sweep := func(after time.Duration, want ...string) {
		t.Helper()
		now = now.Add(after)
		got, err := s.sweep(t.Context())
		if err != nil || !slices.Equal(got.Namespaces, want) {
			t.Errorf("at %s retired %v (%v), want %v", now.Format(time.TimeOnly), got.Namespaces, err, want)
		}
	}
	sweep(0)
	sweep(59 * time.Minute)
	sweep(time.Minute, old)
	sweep(time.Hour)
	member.Close()
	awaitGroup(t, client, live.GroupOf(elsewhere), false)
	sweep(0)
	sweep(time.Hour, elsewhere)
	left, err := s.store.Fences(t.Context())
	if err != nil || len(left) != 2 || left[0].Namespace != here || left[1].Namespace != here {
		t.Errorf("left are %+v, %v", left, err)
	}
}

// awaitGroup waits until a group has members, or none.
func awaitGroup(t *testing.T, client *kgo.Client, group string, members bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := liveGroups(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		if all[group] == members {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("group %s: members=%v not within 20 s", group, members)
		}
	}
}
