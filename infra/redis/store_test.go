package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
)

const topicID = "0123456789abcdef0123456789abcdef"

func fenceAt(next int64) Fence {
	return Fence{TopicID: topicID, Base: 1, Epoch: 2, Next: next, Target: 10, Incarnation: "01J"}
}

func encoded(t *testing.T, f Fence) string {
	t.Helper()
	raw, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func opened(t *testing.T, store *Store, keys Keys) string {
	t.Helper()
	res, err := store.Open(t.Context(), keys, fenceAt(0))
	if err != nil || !res.OK {
		t.Fatalf("open: %+v, %v", res, err)
	}
	return res.Stored
}

func TestFenceIsAbsentUntilOpenedAndOpenedOnce(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		if _, raw, ok, err := store.ReadFence(t.Context(), keys); ok || raw != "" || err != nil {
			t.Fatalf("before open: %q %v %v", raw, ok, err)
		}
		first := opened(t, store, keys)
		res, err := store.Open(t.Context(), keys, fenceAt(7))
		if err != nil || res.OK || res.Stored != first {
			t.Errorf("second open: %+v, %v, want refused with %s", res, err, first)
		}
		got, raw, ok, err := store.ReadFence(t.Context(), keys)
		if err != nil || !ok || raw != first {
			t.Fatalf("after open: %q %v %v", raw, ok, err)
		}
		if diff := cmp.Diff(fenceAt(0), got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCommitWritesDeletesAndMovesTheFence(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		raw := opened(t, store, keys)
		a, b, binary := keys.User("01J", "a"), keys.User("01J", "b"), keys.Item("01J", "\x00\xff{}ü")
		res, err := store.Commit(t.Context(), keys, raw, fenceAt(5),
			Changes{Writes: []KV{{a, []byte("1")}, {b, []byte{}}, {binary, []byte{0, 255, '\n'}}}})
		if err != nil || !res.OK || res.Stored != encoded(t, fenceAt(5)) {
			t.Fatalf("commit: %+v, %v", res, err)
		}
		res, err = store.Commit(t.Context(), keys, res.Stored, fenceAt(6), Changes{Writes: []KV{{b, []byte("2")}}, Deletes: []string{a, keys.User("01J", "never was")}})
		if err != nil || !res.OK {
			t.Fatalf("commit: %+v, %v", res, err)
		}
		fence, _, ok, err := store.ReadFence(t.Context(), keys)
		if err != nil || !ok || fence != fenceAt(6) {
			t.Errorf("fence %+v, %v, %v", fence, ok, err)
		}
		blobs, err := store.LoadBlobs(t.Context(), []string{a, b, binary})
		if diff := cmp.Diff([][]byte{nil, []byte("2"), {0, 255, '\n'}}, blobs); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

func TestStaleCommitChangesNothing(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		raw := opened(t, store, keys)
		user, other := keys.User("01J", "a"), keys.User("01J", "b")
		ahead, err := store.Commit(t.Context(), keys, raw, fenceAt(5), Changes{Writes: []KV{{user, []byte("kept")}}})
		if err != nil || !ahead.OK {
			t.Fatalf("commit: %+v, %v", ahead, err)
		}
		for name, expected := range map[string]string{
			"behind": raw, "ahead": encoded(t, fenceAt(6)), "other bytes": ahead.Stored + " ", "prefix": ahead.Stored[:10],
		} {
			res, err := store.Commit(t.Context(), keys, expected, fenceAt(9), Changes{Writes: []KV{{other, []byte("lost")}}, Deletes: []string{user}})
			if err != nil || res.OK || res.Stored != ahead.Stored {
				t.Errorf("%s: %+v, %v, want refused with the stored fence", name, res, err)
			}
		}
		// Redis lost its writes: the fence is gone altogether.
		if err := client.Del(t.Context(), keys.Fence()).Err(); err != nil {
			t.Fatal(err)
		}
		res, err := store.Commit(t.Context(), keys, ahead.Stored, fenceAt(9), Changes{Writes: []KV{{other, []byte("lost")}}, Deletes: []string{user}})
		if err != nil || res.OK || res.Stored != "" {
			t.Errorf("fence lost: %+v, %v, want refused with no fence", res, err)
		}
		blobs, err := store.LoadBlobs(t.Context(), []string{user, other})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([][]byte{[]byte("kept"), nil}, blobs); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLargeCommit(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		raw := opened(t, store, keys)
		const n = 20_001 // far above the limit of unpack, and no multiple of the chunk
		writes, names := make([]KV, n), make([]string, n)
		for i := range writes {
			names[i] = keys.User("01J", fmt.Sprint(i))
			writes[i] = KV{names[i], fmt.Appendf(nil, "value %d", i)}
		}
		res, err := store.Commit(t.Context(), keys, raw, fenceAt(1), Changes{Writes: writes})
		if err != nil || !res.OK {
			t.Fatalf("commit: %+v, %v", res, err)
		}
		blobs, err := store.LoadBlobs(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		for i, blob := range blobs {
			if string(blob) != string(writes[i].Value) {
				t.Fatalf("blob %d = %q", i, blob)
			}
		}
		res, err = store.Commit(t.Context(), keys, res.Stored, fenceAt(2), Changes{Writes: writes[:1], Deletes: names[1:]})
		if err != nil || !res.OK {
			t.Fatalf("deleting commit: %+v, %v", res, err)
		}
		if left, err := client.Exists(t.Context(), names...).Result(); err != nil || left != 1 {
			t.Errorf("%d keys left, %v, want 1", left, err)
		}
	})
}

func TestCommitOverKeysOfAnotherType(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		raw := opened(t, store, keys)
		user := keys.User("01J", "a")
		if err := client.RPush(t.Context(), user, "x").Err(); err != nil {
			t.Fatal(err)
		}
		res, err := store.Commit(t.Context(), keys, raw, fenceAt(1), Changes{Writes: []KV{{user, []byte("blob")}}})
		if err != nil || !res.OK {
			t.Fatalf("commit: %+v, %v", res, err)
		}
		// A fence of another type fails before anything is written.
		if err := client.Del(t.Context(), keys.Fence()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.RPush(t.Context(), keys.Fence(), "x").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Commit(t.Context(), keys, res.Stored, fenceAt(2), Changes{Writes: []KV{{user, []byte("lost")}}}); err == nil {
			t.Error("commit over a fence that is a list succeeded")
		}
		if got, err := client.Get(t.Context(), user).Result(); err != nil || got != "blob" {
			t.Errorf("blob = %q, %v, want untouched", got, err)
		}
	})
}

func TestCommitRefusesForeignKeys(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		store, keys := NewStore(client), freshKeys(t, client)
		raw := opened(t, store, keys)
		elsewhere := Keys{Partition: keys.Partition + 1, Namespace: keys.Namespace}
		for name, key := range map[string]string{"fence": keys.Fence(), "other slot": elsewhere.User("01J", "secret-user")} {
			_, err := store.Commit(t.Context(), keys, raw, fenceAt(1), Changes{Writes: []KV{{key, nil}}})
			if err == nil || strings.Contains(err.Error(), "secret-user") {
				t.Errorf("%s written: %v, want an error that does not show the user", name, err)
			}
			if _, err := store.Commit(t.Context(), keys, raw, fenceAt(1), Changes{Deletes: []string{key}}); err == nil {
				t.Errorf("%s deleted", name)
			}
		}
		if _, err := store.Commit(t.Context(), keys, "", fenceAt(1), Changes{}); err == nil {
			t.Error("commit without an expected fence succeeded")
		}
		if _, got, _, err := store.ReadFence(t.Context(), keys); err != nil || got != raw {
			t.Errorf("fence = %s, %v, want %s", got, err, raw)
		}
	})
}

// Several owners that all believe a partition to be theirs count to the same blob. Whatever the
// interleaving, the blob says how many commits were accepted: no count is lost, none is doubled.
func TestRacingOwnersCountExactlyOnce(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		keys := freshKeys(t, client)
		opened(t, NewStore(client), keys)
		const owners, target = 4, 200
		var wg sync.WaitGroup
		accepted := make([]int64, owners)
		for owner := range owners {
			wg.Go(func() { accepted[owner] = countTo(t, NewStore(client), keys, target) })
		}
		wg.Wait()
		var total int64
		for _, n := range accepted {
			total += n
		}
		if total != target {
			t.Errorf("%d commits accepted, want %d (by owner: %v)", total, target, accepted)
		}
		fence, _, _, err := NewStore(client).ReadFence(t.Context(), keys)
		if err != nil || fence.Next != target {
			t.Errorf("fence %+v, %v, want %d", fence, err, target)
		}
		blobs, err := NewStore(client).LoadBlobs(t.Context(), []string{keys.Global("01J")})
		if err != nil || string(blobs[0]) != fmt.Sprint(target) {
			t.Errorf("blob %q, %v, want %d", blobs, err, target)
		}
	})
}

func countTo(t *testing.T, store *Store, keys Keys, target int64) (accepted int64) {
	ctx := context.WithoutCancel(t.Context())
	committer := store.NewCommitter(keys)
	defer func() {
		if err := committer.Close(); err != nil {
			t.Error(err)
		}
	}()
	fence, raw, _, err := store.ReadFence(ctx, keys)
	if err != nil {
		t.Error(err)
		return accepted
	}
	for fence.Next < target {
		next := fenceAt(fence.Next + 1)
		blob := []KV{{keys.Global("01J"), []byte(fmt.Sprint(next.Next))}}
		res, err := committer.Commit(ctx, raw, next, Changes{Writes: blob})
		if err != nil {
			t.Error(err)
			return accepted
		}
		if res.OK {
			accepted++
		}
		raw = res.Stored
		if fence, err = ParseFence(raw); err != nil {
			t.Error(err)
			return accepted
		}
	}
	return accepted
}
