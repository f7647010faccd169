//go:build integration

package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

const partitions = 16

// startCluster starts a cluster of the test's own and returns it with a client.
func startCluster(t *testing.T) (*env.RedisCluster, *goredis.ClusterClient) {
	t.Helper()
	c, err := env.StartRedisCluster(t.Context(), need.OwnConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c, dial(t, "redis+cluster://"+c.Addr).(*goredis.ClusterClient)
}

// Partitions count in their own blobs while the cluster cuts their connections and moves a slot under them.
// Whatever an owner is told, in the end every blob says how many commits of its partition were accepted,
// and the fence stands there.
func TestIntegrationClusterCommitsExactlyOnce(t *testing.T) {
	c, client := startCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const rounds = 150 // at least; owners go on until the cluster is quiet again
	counters := make([]*counter, partitions)
	masters := map[string]int{}
	for p := range counters {
		counters[p] = newCounter(t, client, int32(p))
		master, err := client.MasterForKey(ctx, counters[p].keys.Fence())
		if err != nil {
			t.Fatal(err)
		}
		masters[master.Options().Addr]++
		slot, err := client.ClusterKeySlot(ctx, counters[p].keys.Fence()).Result()
		if err != nil || int(slot) != counters[p].keys.HashSlot() {
			t.Fatalf("partition %d: Redis says slot %d, %v, want %d", p, slot, err, counters[p].keys.HashSlot())
		}
	}
	if len(masters) != 3 {
		t.Fatalf("partitions by master: %v, want some on each of 3", masters)
	}
	var quiet atomic.Bool
	var running sync.WaitGroup
	for _, counter := range counters {
		running.Go(func() {
			for (counter.sent.Load() < rounds || !quiet.Load()) && ctx.Err() == nil {
				counter.step(ctx)
			}
		})
	}
	cut := func() error {
		return client.ForEachMaster(ctx, func(ctx context.Context, master *goredis.Client) error {
			return master.ClientKillByFilter(ctx, "TYPE", "normal").Err() // but for this one
		})
	}
	const other = 1 // a partition whose slot stays
	progress := func() error {
		from := counters[other].sent.Load()
		eventually(t, func(context.Context) error {
			if counters[other].sent.Load() < from+20 {
				return fmt.Errorf("partition %d does not go on", other)
			}
			return nil
		})
		return cut()
	}
	for i, p := range []int{0, 5} { // while they commit, and others do in the middle of the move
		if err := progress(); err != nil {
			t.Error(err)
		}
		if err := c.MoveSlot(ctx, counters[p].keys.HashSlot(), 2-i, progress); err != nil {
			t.Error(err)
		}
	}
	quiet.Store(true)
	running.Wait()
	errors := 0
	for _, counter := range counters {
		counter.check(t)
		errors += counter.errors
	}
	t.Logf("partitions by master %v, at least %d commits each, %d errors on the way", masters, rounds, errors)
}

// counter is an owner that adds one to its partition's blob with every commit.
type counter struct {
	store  *Store
	commit *Committer
	keys   Keys
	raw    string
	fence  Fence
	sent   atomic.Int64 // commits that are known to be in Redis
	errors int
}

func newCounter(t *testing.T, client goredis.UniversalClient, p int32) *counter {
	t.Helper()
	keys := freshKeys(t, client)
	keys.Partition = p
	store := NewStore(client)
	c := &counter{store: store, commit: store.NewCommitter(keys), keys: keys, fence: fenceAt(0)}
	t.Cleanup(func() {
		if err := c.commit.Close(); err != nil {
			t.Error(err)
		}
	})
	c.raw = opened(t, c.store, keys)
	return c
}

// step commits once, with a new key each time, or learns where the partition stands.
func (c *counter) step(ctx context.Context) {
	next := fenceAt(c.fence.Next + 1)
	writes := []KV{
		{c.keys.Global("01J"), fmt.Append(nil, next.Next)},
		{c.keys.User("01J", fmt.Sprint(next.Next)), fmt.Append(nil, next.Next)},
	}
	res, err := c.commit.Commit(ctx, c.raw, next, Changes{Writes: writes})
	if err == nil && res.OK {
		c.fence, c.raw = next, res.Stored
	} else {
		c.errors++
		fence, raw, ok, err := c.store.ReadFence(ctx, c.keys)
		if err != nil || !ok {
			return // again
		}
		c.fence, c.raw = fence, raw
	}
	c.sent.Store(c.fence.Next)
}

func (c *counter) check(t *testing.T) {
	t.Helper()
	sent := c.sent.Load()
	fence, _, ok, err := c.store.ReadFence(t.Context(), c.keys)
	if err != nil || !ok || fence.Next != sent {
		t.Errorf("partition %d: fence %+v, %v, %v, want %d", c.keys.Partition, fence, ok, err, sent)
	}
	names := []string{c.keys.Global("01J")}
	for i := range sent {
		names = append(names, c.keys.User("01J", fmt.Sprint(i+1)))
	}
	blobs, err := c.store.LoadBlobs(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	if string(blobs[0]) != fmt.Sprint(sent) {
		t.Errorf("partition %d: the blob says %s, the fence %d", c.keys.Partition, blobs[0], sent)
	}
	for i, blob := range blobs[1:] {
		if string(blob) != fmt.Sprint(i+1) {
			t.Errorf("partition %d: commit %d left %q", c.keys.Partition, i+1, blob)
		}
	}
}

// One master of three that may evict is one too many.
func TestIntegrationClusterPolicyOfEveryMaster(t *testing.T) {
	c, client := startCluster(t)
	policy, err := CheckPolicy(t.Context(), client)
	if err != nil || !policy.Known || policy.Value != noEviction {
		t.Fatalf("policy %+v, %v", policy, err)
	}
	for _, node := range c.Nodes {
		set := func(value string) {
			plain := goredis.NewClient(&goredis.Options{Addr: node.Addr})
			defer plain.Close()
			if err := plain.ConfigSet(t.Context(), "maxmemory-policy", value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		set("allkeys-lru")
		policy, err := CheckPolicy(t.Context(), client)
		if !isEviction(err) || policy.Value != "allkeys-lru" || !strings.Contains(err.Error(), node.Addr) {
			t.Errorf("%s evicts: %+v, %v, want that it is refused by name", node.Addr, policy, err)
		}
		set(noEviction)
	}
	if _, err := CheckPolicy(t.Context(), client); err != nil {
		t.Errorf("after all: %v", err)
	}
}
