//go:build integration

package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationTakeOver: a stream process that is killed and starts again has its partitions back at once when it has
// a name in the group, and otherwise when the broker has missed it for the session's six seconds.
func TestIntegrationTakeOver(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	set := need.Own(t, "kafka", "redis") // of this test's own, because topics and keys have fixed names
	for _, tt := range []struct {
		name        string
		flags       []string
		least, most time.Duration
	}{
		{"unnamed", nil, 3 * time.Second, 15 * time.Second},
		{"named", []string{"--group-instance", "stream-0"}, 0, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{
				"stream", "--data", filepath.Join(t.TempDir(), "stream"), "--listen", freePort(t), "--partitions", "4",
				"--kafka", set.Server("kafka").Addr, "--redis", set.Server("redis").Addr,
			}, tt.flags...)
			p := start(t, args...)
			awaitApplied(ctx, t, set, tt.name+"-before")
			p.kill()
			began := time.Now()
			p = start(t, args...)
			awaitApplied(ctx, t, set, tt.name+"-after")
			took := time.Since(began)
			t.Logf("live again %.1f s after it was killed", took.Seconds())
			if took < tt.least || took > tt.most {
				t.Errorf("it took %s, want between %s and %s", took, tt.least, tt.most)
			}
			if _, code := p.interrupt(t, 25*time.Second); code != 0 { // it leaves the group, where it has no name in it
				t.Errorf("stream ended with code %d", code)
			}
		})
	}
}

// awaitApplied sends an event of a new user in every partition and waits until live state has them.
func awaitApplied(ctx context.Context, t *testing.T, set *env.Set, id string) {
	t.Helper()
	state, err := redis.Dial(set.Server("redis").Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }() // nothing is lost
	client, err := kafka.Dial([]string{set.Server("kafka").Addr}, nil, kafka.Local())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	catalogue, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int32]int64{}
	for i := 0; len(ends) < 4; i++ {
		e := event.Event{ID: fmt.Sprint(id, i), UserID: fmt.Sprint(id, i), ItemID: "i1", Type: "view", Time: event.MillisOf(time.Now())}
		value, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var r *kgo.Record
		err = until(ctx, "the topic is there", func() (bool, error) {
			r, err = client.ProduceSync(ctx, &kgo.Record{Topic: kafka.EventsTopic, Key: []byte(e.UserID), Value: value}).First()
			return err == nil, err
		})
		if err != nil {
			t.Fatal(err)
		}
		ends[r.Partition] = r.Offset + 1
	}
	store := redis.NewStore(state)
	err = until(ctx, "live state has the events", func() (bool, error) {
		for p, end := range ends {
			f, _, found, err := store.ReadFence(ctx, redis.Keys{Partition: p, Namespace: tile.Namespace(catalogue)})
			if err != nil || !found || f.Next < end {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
