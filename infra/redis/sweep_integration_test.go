//go:build integration

package redis

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationSweepCluster sweeps a cluster: the keys of many partitions, on all of its masters.
func TestIntegrationSweepCluster(t *testing.T) {
	client := dial(t, need.RedisCluster(t))
	store := NewStore(client)
	namespace := ulid.Make().String() + "-v1"
	const partitions = 8
	for p := range int32(partitions) {
		keys := Keys{Partition: p, Namespace: namespace}
		old := filled(t, client, keys, 50)
		if ok, err := store.Drop(t.Context(), keys, old.Incarnation); !ok || err != nil {
			t.Fatalf("partition %d is not dropped: %v, %v", p, ok, err)
		}
		filled(t, client, keys, 3)
	}
	fences, err := store.Fences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fences = slices.DeleteFunc(fences, func(f Stored) bool { return f.Namespace != namespace })
	if len(fences) != partitions {
		t.Errorf("found %d fences", len(fences))
	}
	if n, err := store.Sweep(t.Context()); err != nil || n != partitions*52 {
		t.Errorf("the sweep deleted %d keys, %v; want %d", n, err, partitions*52)
	}
	var mu sync.Mutex
	left := 0
	err = store.scan(t.Context(), keyPrefix+"*}:"+namespace+"*", func(_ context.Context, names []string) error {
		mu.Lock()
		defer mu.Unlock()
		left += len(names)
		return nil
	})
	if err != nil || left != partitions*6 {
		t.Errorf("%d keys are left, %v; want %d", left, err, partitions*6)
	}
}
