package redis

import (
	"fmt"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	goredis "github.com/redis/go-redis/v9"
)

// filled opens a fence of a new incarnation and stores n blobs under it.
func filled(t *testing.T, client goredis.UniversalClient, keys Keys, n int) Fence {
	t.Helper()
	store := NewStore(client)
	fence := Fence{TopicID: "t", Incarnation: ulid.Make().String()}
	opened, err := store.Open(t.Context(), keys, fence)
	if err != nil || !opened.OK {
		t.Fatalf("open: %+v, %v", opened, err)
	}
	var writes []KV
	for i := range n {
		writes = append(writes, KV{keys.User(fence.Incarnation, fmt.Sprint("u:", i)), []byte("blob")})
	}
	writes = append(writes, KV{keys.Global(fence.Incarnation), []byte("blob")})
	next := fence
	next.Next = 7
	if moved, err := store.Commit(t.Context(), keys, opened.Stored, next, Changes{Writes: writes}); err != nil || !moved.OK {
		t.Fatalf("commit: %+v, %v", moved, err)
	}
	if err := client.SAdd(t.Context(), keys.State(fence.Incarnation)+"x:3", "g").Err(); err != nil {
		t.Fatal(err)
	}
	return next
}

// count returns how many keys of a namespace there are.
func count(t *testing.T, client goredis.UniversalClient, keys Keys) int {
	t.Helper()
	names := map[string]bool{} // a scan may show a key twice
	it := client.Scan(t.Context(), 0, keys.Slot()+keys.Namespace+"*", 10_000).Iterator()
	for it.Next(t.Context()) {
		names[it.Val()] = true
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return len(names)
}

// TestDropAndSweep drops the fence of one incarnation and requires that a sweep deletes its keys, all of
// them, and those of nothing else.
func TestDropAndSweep(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys, other := NewStore(client), freshKeys(t, client), freshKeys(t, client)
		other.Partition = keys.Partition
		old, kept := filled(t, client, keys, 2000), filled(t, client, other, 10)
		if n, err := store.Sweep(t.Context()); err != nil || n != 0 {
			t.Fatalf("a sweep of what lives deletes %d keys, %v", n, err)
		}
		if ok, err := store.Drop(t.Context(), keys, kept.Incarnation); ok || err != nil {
			t.Fatalf("another incarnation was dropped: %v, %v", ok, err)
		}
		if ok, err := store.Drop(t.Context(), keys, old.Incarnation); !ok || err != nil {
			t.Fatalf("not dropped: %v, %v", ok, err)
		}
		if ok, err := store.Drop(t.Context(), keys, old.Incarnation); ok || err != nil {
			t.Fatalf("dropped twice: %v, %v", ok, err)
		}
		filled(t, client, keys, 3)
		if n, err := store.Sweep(t.Context()); err != nil || n != 2002 {
			t.Errorf("the sweep deleted %d keys, %v; want 2002", n, err)
		}
		if got := count(t, client, keys); got != 3+3 { // fence, 3 users, global, index
			t.Errorf("%d keys of the new incarnation remain", got)
		}
		if got := count(t, client, other); got != 10+3 {
			t.Errorf("%d keys of the other namespace remain", got)
		}
	})
}

// TestSweepWithoutFence: a namespace whose fence is gone, as after a drop that nobody has followed up.
func TestSweepWithoutFence(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		filled(t, client, keys, 5)
		found, err := store.Fences(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(found, func(f Stored) bool { return f.Namespace == keys.Namespace })
		if i < 0 || found[i].Key != keys.Fence() {
			t.Fatalf("the fence is not among %+v", found)
		}
		if ok, err := store.DropStored(t.Context(), found[i]); !ok || err != nil {
			t.Fatalf("not dropped: %v, %v", ok, err)
		}
		if n, err := store.Sweep(t.Context()); err != nil || n != 7 {
			t.Errorf("the sweep deleted %d keys, %v; want 7", n, err)
		}
	})
}

// TestSweepSparesTheReturned: Redis lost writes, so that the old fence names the old incarnation again.
// What a sweep found before must not be deleted.
func TestSweepSparesTheReturned(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		fence := filled(t, client, keys, 5)
		k, ok := parseKey(keys.Global(fence.Incarnation))
		if !ok {
			t.Fatal("the key is not understood")
		}
		n, err := store.sweepGroup(t.Context(), k, []string{keys.Global(fence.Incarnation)}, map[incarnationKey]bool{})
		if n != 0 || err != nil || count(t, client, keys) != 5+3 {
			t.Errorf("%d keys of a living incarnation were deleted, %v", n, err)
		}
	})
}

func TestDropOfUnreadableFence(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		if err := client.Set(t.Context(), keys.Fence(), "no fence", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if ok, err := store.DropRaw(t.Context(), keys, "no fence"); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	})
}

func TestParseKey(t *testing.T) {
	keys := Keys{Partition: 12, Namespace: "0123456789ab-v2"}
	id := ulid.Make().String()
	want := incarnationKey{keys.Slot(), keys.Namespace, id}
	for _, name := range []string{
		keys.User(id, "u1"), keys.User(id, "a:fence"), keys.User(id, "x{y}:z"), keys.Item(id, ""), keys.Global(id), keys.State(id) + "x:7",
	} {
		if k, ok := parseKey(name); !ok || k != want || k.fence() != keys.Fence() {
			t.Errorf("%s: %+v, %v", name, k, ok)
		}
	}
	if k, ok := parseKey(keys.Fence()); !ok || k != (incarnationKey{keys.Slot(), keys.Namespace, ""}) {
		t.Errorf("fence: %+v, %v", k, ok)
	}
	for _, name := range []string{"", "other", "anabranch:{e1}:", "anabranch:{e1}:ns", "anabranch:{e1}:ns:u:1", "anabranch:{}:ns:fence", "xanabranch:{e1}:ns:fence"} {
		if k, ok := parseKey(name); ok {
			t.Errorf("%q is %+v", name, k)
		}
	}
}
