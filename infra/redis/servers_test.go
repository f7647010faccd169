package redis

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realServer is the variable that names a real server for the suite, as host:port or URL.
const realServer = "ANABRANCH_TEST_REDIS"

// onServers runs a test on the embedded server and, where one is named, on a real one.
func onServers(t *testing.T, test func(t *testing.T, client goredis.UniversalClient)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		server, err := StartEmbedded("")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		test(t, dial(t, server.Addr()))
	})
	t.Run("real", func(t *testing.T) {
		address := os.Getenv(realServer)
		if address == "" {
			t.Skipf("set %s=host:port of a redis-server 7.0 or later (Debian: apt-get install redis-server)", realServer)
		}
		test(t, dial(t, address))
	})
}

func dial(t *testing.T, address string) goredis.UniversalClient {
	t.Helper()
	client, err := Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close client: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatalf("ping %s: %v", address, err)
	}
	return client
}

// freshKeys returns keys that no other test uses, and removes them from a shared server at the end.
func freshKeys(t cleaner, client goredis.UniversalClient) Keys {
	keys := Keys{Partition: 3, Namespace: ulid.Make().String() + "-v1"}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var found []string
		// The braces of the hash tag and the name are literal in a glob of Redis.
		scan := client.Scan(ctx, 0, keys.Slot()+keys.Namespace+"*", 10_000).Iterator()
		for scan.Next(ctx) {
			found = append(found, scan.Val())
		}
		if scan.Err() != nil {
			t.Errorf("scan: %v", scan.Err())
		}
		for len(found) > 0 {
			n := min(len(found), 1000)
			if err := client.Del(ctx, found[:n]...).Err(); err != nil {
				t.Errorf("clean up: %v", err)
			}
			found = found[n:]
		}
	})
	return keys
}

type cleaner interface {
	Cleanup(func())
	Errorf(string, ...any)
}
