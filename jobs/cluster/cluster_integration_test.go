//go:build integration

package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestIntegrationRunnerOnCluster: events with duplicates flow while a node of the cluster is killed and comes back
// without the last of what it had acknowledged, and while slots move under their partitions. In the end every answer of
// serving is what the oracle says.
func TestIntegrationRunnerOnCluster(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the events: %d", seed)
	nodes, err := env.StartRedisCluster(t.Context(), need.OwnConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	client, err := redis.Dial("redis+cluster://" + nodes.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w := newWorld(ctx, t, seed)
	if err := w.produce(ctx, 1500); err != nil {
		t.Fatal(err)
	}
	_, stop := w.run(t, client)
	w.caughtUp(ctx, t, client)
	checkSpread(ctx, t, w, client.(*goredis.ClusterClient))
	if err := w.mark(ctx); err != nil {
		t.Fatal(err)
	}

	quiet := w.flow(ctx)
	progress := func() error { return advance(ctx, t, w, client) }
	if err := progress(); err != nil {
		t.Fatal(err)
	}
	crash(ctx, t, nodes.Nodes[1])
	if err := progress(); err != nil {
		t.Fatal(err)
	}
	for i, p := range []int32{0, 5} {
		if err := nodes.MoveSlot(ctx, w.keys(p).HashSlot(), 2-i, progress); err != nil {
			t.Fatal(err)
		}
	}
	if err := quiet(); err != nil {
		t.Fatal(err)
	}
	w.caughtUp(ctx, t, client)
	stop()
	w.check(ctx, t, client)
}

// checkSpread demands that every master has its part of the partitions, with states and not fences alone.
func checkSpread(ctx context.Context, t *testing.T, w *world, client *goredis.ClusterClient) {
	t.Helper()
	held := map[string]int{}
	for p := range int32(partitions) {
		master, err := client.MasterForKey(ctx, w.keys(p).Fence())
		if err != nil {
			t.Fatal(err)
		}
		n, err := master.ClusterCountKeysInSlot(ctx, w.keys(p).HashSlot()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n < 3 {
			t.Errorf("partition %d has %d keys on %s", p, n, master.Options().Addr)
		}
		held[master.Options().Addr]++
	}
	if len(held) != 3 {
		t.Fatalf("partitions by master: %v, want some on each of 3", held)
	}
	for addr, n := range held {
		if n < partitions/4 {
			t.Errorf("%s has %d of %d partitions, want about a third", addr, n, partitions)
		}
	}
}

// crash kills a node and starts it again without the last bytes of its append-only file.
func crash(ctx context.Context, t *testing.T, node *env.Server) {
	t.Helper()
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := env.LoseTail(node, 200_000); err != nil {
		t.Fatal(err)
	}
	if err := node.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// advance returns when the fences of the partitions have moved on. Not of all: the slot of one may be half way between
// two nodes, where nobody can write what both have a part of.
func advance(ctx context.Context, t *testing.T, w *world, client goredis.UniversalClient) error {
	before := w.fences(ctx, client)
	await(ctx, t, "the partitions move on", func() error {
		moved := 0
		for p, f := range w.fences(ctx, client) {
			if b, known := before[p]; !known || f.Next > b.Next+5 {
				moved++
			}
		}
		if moved < partitions-1 {
			return fmt.Errorf("%d of %d partitions have", moved, partitions)
		}
		return nil
	})
	return nil
}
