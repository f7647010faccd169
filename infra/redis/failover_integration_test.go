//go:build integration

package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

func isEviction(err error) bool { return errors.Is(err, ErrEvicts) }

// stopped stops a server at the end of the test.
func stopped(t *testing.T, s *env.Server, err error) *env.Server {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pair is a master, and a replica that lags as its proxy says.
type pair struct {
	master, replica *env.Server
	between         *proxy.Proxy
}

func startPair(t *testing.T) pair {
	t.Helper()
	ctx, cfg := t.Context(), need.OwnConfig(t)
	var p pair
	server, err := env.StartRedis(ctx, cfg)
	p.master = stopped(t, server, err)
	p.between = proxy.New(t, p.master.Addr)
	server, err = env.StartRedisReplica(ctx, cfg, p.between.Addr())
	p.replica = stopped(t, server, err)
	return p
}

// loseWrites commits once more than the replica gets to know, and crashes the master.
func (p pair) loseWrites(t *testing.T, client goredis.UniversalClient) (keys Keys, known, lost string) {
	t.Helper()
	store := NewStore(client)
	keys = Keys{Partition: 3, Namespace: "0123456789ab-v1"}
	raw := opened(t, store, keys)
	commit := func(raw string, next int64, value string) string {
		res, err := store.Commit(t.Context(), keys, raw, fenceAt(next), Changes{Writes: []KV{{keys.User("01J", "a"), []byte(value)}}})
		if err != nil || !res.OK {
			t.Fatalf("commit: %+v, %v", res, err)
		}
		return res.Stored
	}
	known = commit(raw, 5, "known")
	direct := dial(t, p.master.Addr)
	if n, err := direct.Do(t.Context(), "WAIT", 1, 10_000).Int(); err != nil || n != 1 {
		t.Fatalf("%d replicas follow, %v", n, err)
	}
	p.between.Blackhole()
	lost = commit(known, 9, "acknowledged and lost")
	if err := p.master.Kill(); err != nil {
		t.Fatal(err)
	}
	p.between.Refuse()
	return keys, known, lost
}

// rolledBack checks what an owner finds that still believes in the lost commit.
func rolledBack(t *testing.T, client goredis.UniversalClient, keys Keys, known, lost string) {
	t.Helper()
	store, user := NewStore(client), keys.User("01J", "a")
	res, err := store.Commit(t.Context(), keys, lost, fenceAt(12), Changes{Writes: []KV{{user, []byte("a hole before it")}}})
	if err != nil || res.OK || res.Stored != known {
		t.Fatalf("commit on top of what was lost: %+v, %v, want refused with %s", res, err, known)
	}
	blobs, err := store.LoadBlobs(t.Context(), []string{user})
	if err != nil || string(blobs[0]) != "known" {
		t.Errorf("the blob is %q, %v, want the one that belongs to the fence", blobs, err)
	}
	res, err = store.Commit(t.Context(), keys, res.Stored, fenceAt(9), Changes{Writes: []KV{{user, []byte("again")}}})
	if err != nil || !res.OK {
		t.Errorf("commit from where the replica stands: %+v, %v", res, err)
	}
}

func TestIntegrationPromotedReplicaThatLostWritesIsAMismatch(t *testing.T) {
	p := startPair(t)
	keys, known, lost := p.loseWrites(t, dial(t, p.master.Addr))
	client := dial(t, p.replica.Addr)
	if err := client.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	rolledBack(t, client, keys, known, lost)
}

// The same through sentinels, which promote the replica by themselves and tell the client.
func TestIntegrationSentinelFailover(t *testing.T) {
	p := startPair(t)
	server, err := env.StartRedisSentinel(t.Context(), need.OwnConfig(t), p.master.Addr)
	s := stopped(t, server, err)
	client := dial(t, "redis+sentinel://"+s.Addr+"/"+env.SentinelMaster+"?max_retries=10")
	keys, known, lost := p.loseWrites(t, client)
	eventually(t, func(ctx context.Context) error { return client.Set(ctx, "writable", 1, 0).Err() })
	rolledBack(t, client, keys, known, lost)
}

// eventually repeats f until it succeeds, for 30 seconds.
func eventually(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// A replica that may evict is refused when it becomes the master, though the master was good when the
// client began.
func TestIntegrationFailoverToAServerThatEvicts(t *testing.T) {
	p := startPair(t)
	entry := proxy.New(t, p.master.Addr)
	client := dial(t, entry.Addr())
	if _, err := CheckPolicy(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	plain := goredis.NewClient(&goredis.Options{Addr: p.replica.Addr})
	defer plain.Close()
	set := func(value string) {
		if err := plain.ConfigSet(t.Context(), "maxmemory-policy", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("volatile-ttl")
	if err := plain.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	entry.SetUpstream(p.replica.Addr)
	entry.Cut()
	if err := client.Set(t.Context(), "key", 1, 0).Err(); !isEviction(err) {
		t.Errorf("a write to a server that evicts: %v", err)
	}
	if policy, err := CheckPolicy(t.Context(), client); !isEviction(err) || policy.Value != "volatile-ttl" {
		t.Errorf("policy %+v, %v", policy, err)
	}
	set(noEviction)
	if err := client.Set(t.Context(), "key", 1, 0).Err(); err != nil {
		t.Errorf("after the policy was repaired: %v", err)
	}
}

func TestIntegrationPolicyRefusesEviction(t *testing.T) {
	client := dial(t, need.Own(t, "redis").Server("redis").Addr)
	for value, refused := range map[string]bool{noEviction: false, "allkeys-lru": true, "volatile-ttl": true} {
		if err := client.ConfigSet(t.Context(), "maxmemory-policy", value).Err(); err != nil {
			t.Fatal(err)
		}
		policy, err := CheckPolicy(t.Context(), client)
		if !policy.Known || policy.Value != value || isEviction(err) != refused {
			t.Errorf("%s: %+v, %v", value, policy, err)
		}
		info, err := client.Info(t.Context(), "memory").Result()
		if err != nil || infoField(info, "maxmemory_policy") != value {
			t.Errorf("%s: INFO says %q, %v", value, infoField(info, "maxmemory_policy"), err)
		}
	}
}

// TLS with a client's certificate and an ACL user who may do no more than the product needs.
func TestIntegrationTLSAndACLUser(t *testing.T) {
	files := newAuthority(t, t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := env.StartRedisWith(t.Context(), need.OwnConfig(t), "--tls-port", port,
		"--tls-ca-cert-file", files.ca, "--tls-cert-file", files.cert, "--tls-key-file", files.key,
		"--user", "stream", "on", ">p@ss", "~anabranch:*", "+@read", "+@write", "+@transaction", "+@connection", "+config|get", "+info")
	stopped(t, server, err)
	base := "rediss://stream:p%40ss@127.0.0.1:" + port + "?tls_ca=" + files.ca
	client := dial(t, base+"&tls_cert="+files.cert+"&tls_key="+files.key)
	if policy, err := CheckPolicy(t.Context(), client); err != nil || policy.Value != noEviction {
		t.Errorf("policy %+v, %v", policy, err)
	}
	store, keys := NewStore(client), freshKeys(t, client)
	raw := opened(t, store, keys)
	if res, err := store.Commit(t.Context(), keys, raw, fenceAt(1), Changes{Writes: []KV{{keys.Global("01J"), []byte("x")}}}); err != nil || !res.OK {
		t.Errorf("commit: %+v, %v", res, err)
	}
	if err := client.Set(t.Context(), "somebody else's", 1, 0).Err(); err == nil {
		t.Error("the user wrote outside its keys")
	}
	other := newAuthority(t, t.TempDir())
	for name, address := range map[string]string{
		"no certificate":    base,
		"foreign authority": "rediss://stream:p%40ss@127.0.0.1:" + port + "?tls_ca=" + other.ca + "&tls_cert=" + files.cert + "&tls_key=" + files.key,
		"wrong name":        base + "&tls_cert=" + files.cert + "&tls_key=" + files.key + "&tls_server_name=elsewhere.test",
		"wrong password":    "rediss://stream:no@127.0.0.1:" + port + "?tls_ca=" + files.ca + "&tls_cert=" + files.cert + "&tls_key=" + files.key,
		"no TLS":            "redis://stream:p%40ss@127.0.0.1:" + port + "?client_name=plain",
	} {
		client, err := Dial(address + "&max_retries=0&dial_timeout=2s&read_timeout=2s")
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Errorf("%s: connected", name)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}
