package redis

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// Two owners commit in any order with whatever fence each of them last saw. After every step Redis
// holds exactly what the accepted commits wrote: the fence is the last accepted one and the blobs
// are those that belong to it.
func TestInterleavedOwners(t *testing.T) {
	onServers(t, func(t *testing.T, client goredis.UniversalClient) {
		rapid.Check(t, func(rt *rapid.T) {
			w := &world{client: client, store: NewStore(client), keys: freshKeys(rt, client), blobs: map[string]string{}}
			for i := range w.owners {
				w.owners[i] = w.store.NewCommitter(w.keys)
			}
			defer func() {
				for _, c := range w.owners {
					if err := c.Close(); err != nil {
						rt.Error(err)
					}
				}
			}()
			rt.Repeat(map[string]func(*rapid.T){
				"":        w.check,
				"open":    w.open,
				"look":    w.look,
				"commit":  w.commit,
				"lose":    w.loseFence,
				"hang up": w.hangUp,
			})
		})
	})
}

// world is the model of what Redis must hold, and what each owner believes.
type world struct {
	client goredis.UniversalClient
	store  *Store
	keys   Keys

	fence  string // stored raw fence, "" = none
	blobs  map[string]string
	belief [2]string
	owners [2]*Committer
	step   int64
}

func (w *world) names() []string {
	var names []string
	for i := range 4 {
		names = append(names, w.keys.User("01J", fmt.Sprint(i)))
	}
	return append(names, w.keys.Item("01J", "0"), w.keys.Global("01J"))
}

func (w *world) owner(t *rapid.T) (*Committer, *string) {
	i := rapid.IntRange(0, 1).Draw(t, "owner")
	return w.owners[i], &w.belief[i]
}

func (w *world) fenceOf(t *rapid.T) (Fence, string) {
	w.step++
	f := Fence{TopicID: topicID, Next: w.step, Target: rapid.Int64Range(0, 1<<62).Draw(t, "target"), Incarnation: "01J"}
	raw, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f, raw
}

func (w *world) open(t *rapid.T) {
	committer, owner := w.owner(t)
	fence, raw := w.fenceOf(t)
	res, err := committer.Open(t.Context(), fence)
	if err != nil {
		t.Fatal(err)
	}
	if want := w.fence == ""; res.OK != want {
		t.Fatalf("open: %+v while the fence is %q", res, w.fence)
	}
	if res.OK {
		w.fence = raw
	}
	*owner = res.Stored
}

func (w *world) look(t *rapid.T) {
	_, owner := w.owner(t)
	_, raw, _, err := w.store.ReadFence(t.Context(), w.keys)
	if err != nil {
		t.Fatal(err)
	}
	*owner = raw
}

func (w *world) commit(t *rapid.T) {
	committer, owner := w.owner(t)
	if *owner == "" {
		t.Skip("this owner knows no fence")
	}
	fence, raw := w.fenceOf(t)
	wanted := maps.Clone(w.blobs)
	var writes []KV
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(w.names()), 0, 6, rapid.ID).Draw(t, "writes") {
		value := fmt.Sprint("step ", w.step)
		writes = append(writes, KV{name, []byte(value)})
		wanted[name] = value
	}
	deletes := rapid.SliceOfN(rapid.SampledFrom(w.names()), 0, 2).Draw(t, "deletes")
	for _, name := range deletes {
		delete(wanted, name)
	}
	res, err := committer.Commit(t.Context(), *owner, fence, Changes{Writes: writes, Deletes: deletes})
	if err != nil {
		t.Fatal(err)
	}
	if want := *owner == w.fence; res.OK != want {
		t.Fatalf("commit: %+v, expected %q while the fence is %q", res, *owner, w.fence)
	}
	if res.OK {
		w.fence, w.blobs = raw, wanted
	}
	*owner = res.Stored
}

// loseFence is a failover to a replica that never saw the fence.
func (w *world) loseFence(t *rapid.T) {
	if err := w.client.Del(t.Context(), w.keys.Fence()).Err(); err != nil {
		t.Fatal(err)
	}
	w.fence = ""
}

// hangUp makes an owner lose its connection.
func (w *world) hangUp(t *rapid.T) {
	committer, _ := w.owner(t)
	if err := committer.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) check(t *rapid.T) {
	names := append([]string{w.keys.Fence()}, w.names()...)
	values, err := MGet(t.Context(), w.client, names...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, v := range values {
		if v != nil {
			got[names[i]] = string(v)
		}
	}
	want := maps.Clone(w.blobs)
	if w.fence != "" {
		want[w.keys.Fence()] = w.fence
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("Redis does not hold what was accepted (keys %v):\n%s", slices.Sorted(maps.Keys(want)), diff)
	}
}
