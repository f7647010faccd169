//go:build integration

package env_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

// started stops what a test started itself.
func started[T interface{ Stop() error }](t *testing.T) func(T, error) T {
	t.Helper()
	return func(server T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		return server
	}
}

func single(t *testing.T, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestIntegrationRedisSurvivesKillAndLosesItsTail(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server := need.Own(t, "redis").Server("redis")
	client := single(t, server.Addr)
	for i := range 100 {
		if err := client.Set(ctx, fmt.Sprint("key", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.LoseTail(server, 10); err == nil {
		t.Error("the file of a running server was cut")
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := client.DBSize(ctx).Result(); err != nil || n != 100 {
		t.Errorf("%d keys after a kill, %v, want all 100", n, err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := env.LoseTail(server, 1); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := client.DBSize(ctx).Result(); err != nil || n != 99 {
		t.Errorf("%d keys after the last byte was lost, %v, want 99", n, err)
	}
}

func TestIntegrationPausedServerIsSilentAndCanBeStopped(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	server := need.Own(t, "redis").Server("redis")
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := client.Ping(short).Err(); err == nil {
		t.Error("a paused server answered")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
	if err := server.Pause(); err != nil { // the set's Stop has to end it in this state
		t.Fatal(err)
	}
}

func TestIntegrationReplicaBehindAProxyIsPromoted(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	set := need.Own(t, "redis")
	master := single(t, set.Server("redis").Addr)
	p := proxy.New(t, set.Server("redis").Addr)
	server := started[*env.Server](t)(env.StartRedisReplica(ctx, need.OwnConfig(t), p.Addr()))
	replica := single(t, server.Addr)
	set1 := func(value string) {
		if err := master.Set(ctx, "key", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set1("copied")
	if n, err := master.Wait(ctx, 1, 10*time.Second).Result(); err != nil || n != 1 {
		t.Fatalf("%d replicas have the key, %v", n, err)
	}
	p.Blackhole()
	set1("acknowledged and lost")
	if err := set.Server("redis").Kill(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Do(ctx, "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := replica.Get(ctx, "key").Result(); err != nil || got != "copied" {
		t.Errorf("the promoted replica has %q, %v", got, err)
	}
	if err := replica.Set(ctx, "key", "new", 0).Err(); err != nil {
		t.Errorf("the promoted replica takes no writes: %v", err)
	}
}

func TestIntegrationRedisParts(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	set := need.Own(t, "redis", "redis-replica", "redis-cluster")
	for _, name := range []string{"redis", "redis-replica", "redis-cluster-1", "redis-cluster-2", "redis-cluster-3"} {
		if set.Server(name) == nil {
			t.Fatalf("no server %s in the set", name)
		}
	}
	if n := len(set.Environ()); n != 3 {
		t.Errorf("environment %v, want one variable for each part", set.Environ())
	}
	role, err := single(t, set.Server("redis-replica").Addr).Info(ctx, "replication").Result()
	if err != nil || !containsLine(role, "role:slave") {
		t.Errorf("the replica says %q, %v", role, err)
	}
}

func TestIntegrationClusterMovesASlotWithItsKeys(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	c := started[*env.RedisCluster](t)(env.StartRedisCluster(ctx, need.OwnConfig(t)))
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.Addr[:len(c.Nodes[0].Addr)]}, ContextTimeoutEnabled: true})
	defer client.Close()
	const keys = 10
	name := func(i int) string { return fmt.Sprintf("{tag}%d", i) }
	for i := range keys {
		if err := client.Set(ctx, name(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slot, err := client.ClusterKeySlot(ctx, "{tag}").Result()
	if err != nil {
		t.Fatal(err)
	}
	read := func() error {
		for i := range keys {
			if got, err := client.Get(ctx, name(i)).Int(); err != nil || got != i {
				return fmt.Errorf("key %d: %d, %w", i, got, err)
			}
		}
		return nil
	}
	for _, to := range []int{0, 1, 2} {
		if err := c.MoveSlot(ctx, int(slot), to, read); err != nil {
			t.Fatalf("to node %d: %v", to, err)
		}
		if err := read(); err != nil {
			t.Errorf("after the move to node %d: %v", to, err)
		}
		n, err := single(t, c.Nodes[to].Addr).ClusterCountKeysInSlot(ctx, int(slot)).Result()
		if err != nil || n != keys {
			t.Errorf("node %d has %d keys of the slot, %v, want %d", to, n, err, keys)
		}
	}
	if err := c.Nodes[1].Restart(ctx); err != nil {
		t.Errorf("restart a node: %v", err)
	}
}

func containsLine(text, line string) bool {
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}
