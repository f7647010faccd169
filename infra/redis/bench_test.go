package redis

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkCommit moves a fence with 256 blobs of 200 bytes. It needs a real server.
func BenchmarkCommit(b *testing.B) {
	address := os.Getenv(realServer)
	if address == "" {
		b.Skipf("set %s=host:port of a redis-server 7.0 or later", realServer)
	}
	client, err := Dial(address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	store, keys := NewStore(client), freshKeys(b, client)
	res, err := store.Open(b.Context(), keys, fenceAt(0))
	if err != nil || !res.OK {
		b.Fatal(res, err)
	}
	const blobs = 256
	writes := make([]KV, blobs)
	for i := range writes {
		writes[i] = KV{keys.User("01J", fmt.Sprint(i)), make([]byte, 200)}
	}
	committer := store.NewCommitter(keys)
	defer func() { _ = committer.Close() }()
	next := int64(0)
	for b.Loop() {
		next++
		if res, err = committer.Commit(b.Context(), res.Stored, fenceAt(next), Changes{Writes: writes}); err != nil || !res.OK {
			b.Fatal(res, err)
		}
	}
	b.ReportMetric(float64(next*blobs)/b.Elapsed().Seconds(), "blobs/s")
}
