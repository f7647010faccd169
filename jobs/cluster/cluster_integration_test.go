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

func TestMain(m *testing.M) {
	// go-redis knocks at a node that is away once a second and so notices late that its client was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// takeOver bounds the time from a master's death until all partitions move on: the others miss it for two seconds and
// vote, clients learn of it two seconds later, and owners try again every five seconds at the latest.
const takeOver = 20 * time.Second

// TestIntegrationRunnerOnCluster: events with duplicates flow while a node of the cluster is killed and comes back
// without the last of what it had acknowledged, while slots move under their partitions, and while a master dies and
// its replica takes its place. In the end every answer of serving is what the oracle says.
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
	advance(ctx, t, w, client, w.fences(ctx, client), partitions)
	before := w.fences(ctx, client)
	crash(ctx, t, nodes.Nodes[1])
	advance(ctx, t, w, client, before, partitions)
	// In the middle of a move nobody can write to the slot where it needs keys of both nodes.
	progress := func() error { advance(ctx, t, w, client, w.fences(ctx, client), partitions-1); return nil }
	for i, p := range []int32{0, 5} {
		if err := nodes.MoveSlot(ctx, w.keys(p).HashSlot(), 2-i, progress); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nodes.AddReplica(ctx, need.OwnConfig(t), 2); err != nil {
		t.Fatal(err)
	}
	before = w.fences(ctx, client)
	died := time.Now()
	if err := nodes.Nodes[2].Kill(); err != nil { // the others promote its replica
		t.Fatal(err)
	}
	advance(ctx, t, w, client, before, partitions)
	took := time.Since(died)
	t.Logf("all partitions moved on %.1f s after a master had died", took.Seconds())
	if took > takeOver {
		t.Errorf("it took more than %s", takeOver)
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

// advance returns when the fences of so many partitions have moved on from where they were before.
func advance(ctx context.Context, t *testing.T, w *world, client goredis.UniversalClient, before map[int32]redis.Fence, want int) {
	t.Helper()
	await(ctx, t, "partitions move on", func() error {
		moved := 0
		for p, f := range w.fences(ctx, client) {
			if b, known := before[p]; known && f.Next > b.Next+5 {
				moved++
			}
		}
		if moved < want {
			return fmt.Errorf("%d of %d partitions have", moved, want)
		}
		return nil
	})
}
