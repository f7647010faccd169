package online

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/serving/recommend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	partitions = 4
	topicID    = "0123456789abcdef0123456789abcdef"
	perGroup   = 10 // items of a category
)

var categories = []string{"boots", "hats", "socks"}

// now is the instant of every test.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// entry is an event in its epoch.
type entry struct {
	event event.Event
	epoch int64
}

// world is a bucket, a Redis and the events behind them.
type world struct {
	bucket  *bucket.Bucket
	redis   *redis.Embedded
	client  goredis.UniversalClient
	feature feature.Catalogue
	plans   *plans
	entries []entry
	serial  int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{bucket: must(filebucket.Open(t.TempDir()))(t), feature: must(feature.Default())(t)}
	w.plans = must(compile(w.feature))(t)
	w.redis = must(redis.StartEmbedded(""))(t)
	t.Cleanup(w.redis.Close)
	w.client = must(redis.Dial(w.redis.Addr()))(t)
	t.Cleanup(func() { w.client.Close() })
	return w
}

// clear forgets everything.
func (w *world) clear(t testing.TB) {
	t.Helper()
	w.bucket, w.entries, w.serial = must(filebucket.Open(t.TempDir()))(t), nil, 0
	w.redis.Server().FlushAll()
}

// act adds an event of an epoch, some time before now.
func (w *world) act(epoch int64, user, item, kind string, ago time.Duration) {
	w.serial++
	category := strings.TrimRight(item, "0123456789")
	w.entries = append(w.entries, entry{event.Event{
		ID: fmt.Sprint("e", w.serial), UserID: user, ItemID: item, Type: kind,
		Time: event.MillisOf(now.Add(-ago)), Stamp: &event.Stamp{Category: &category},
	}, epoch})
}

// history gives each of some users a taste: user u<k> viewed items of category k modulo 3 in epoch 0.
func (w *world) history(users int) {
	for u := range users {
		for i := range 4 {
			w.act(0, fmt.Sprint("u", u), fmt.Sprint(categories[u%3], (u+i)%perGroup), "view", 48*time.Hour)
		}
	}
}

// items returns the ids of the world's items, sorted.
func items() []string {
	var out []string
	for _, c := range categories {
		for i := range perGroup {
			out = append(out, fmt.Sprint(c, i))
		}
	}
	slices.Sort(out)
	return out
}

// generation stores the generation of cut n over the world's events and returns its id. Only the given
// items have a vector and a row; the others' events still count in the views.
func (w *world) generation(t testing.TB, n int64, items []string) string {
	t.Helper()
	return w.store(t, w.inputs(n), w.views(n).files(t, w, items))
}

// inputs are what the generation of cut n is made from.
func (w *world) inputs(n int64) model.Inputs {
	in := model.Inputs{
		CutN: n, Label: now.Add(-time.Hour), AsOf: now.Add(-time.Hour), TopicID: topicID, Cut: model.Cut{},
		Definition: w.feature.Hash(), Validator: event.ValidatorVersion, Format: model.Format,
		Train: model.TrainParams{Dim: len(categories), Alpha0: .1, Lambda: .01, Nu: 1}, Weights: model.DefaultWeights(),
	}
	for p := range int32(partitions) {
		in.Cut[p] = 1000 * n
	}
	return in
}

// store puts a generation's files and its manifest.
func (w *world) store(t testing.TB, in model.Inputs, files []artifact.Encoded) string {
	t.Helper()
	m := model.Manifest{ID: must(in.ID())(t), Inputs: in, Metrics: map[string]float64{"recall20": .25}}
	for _, f := range files {
		if err := artifact.Store(t.Context(), w.bucket, m.ID, f); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, f.File)
		switch f.File.Name {
		case model.UserViewFile:
			m.Counts.Users = f.File.Rows
		case model.ItemViewFile:
			m.Counts.Items = f.File.Rows
		}
	}
	must(w.bucket.PutJSON(t.Context(), model.GenerationPrefix(m.ID)+model.ManifestFile, m))(t)
	return m.ID
}

// views are the batch views before a cut.
type views struct {
	users, items map[string]tile.Bucket
	global       tile.Bucket
	rows         map[string]map[string]model.HistoryEntry // by user, by item
}

func (w *world) views(cut int64) *views {
	v := &views{users: map[string]tile.Bucket{}, items: map[string]tile.Bucket{}, global: w.plans.global.NewBucket(), rows: map[string]map[string]model.HistoryEntry{}}
	for i, x := range w.entries {
		if x.epoch >= cut {
			continue
		}
		e, seq := x.event, tile.Seq(event.PartitionOf([]byte(x.event.UserID), partitions), int64(i))
		update(w.plans.user, v.users, e.UserID, &e, seq)
		update(w.plans.item, v.items, e.ItemID, &e, seq)
		w.plans.global.Update(v.global, row(w.plans.global, &e, seq))
		if v.rows[e.UserID] == nil {
			v.rows[e.UserID] = map[string]model.HistoryEntry{}
		}
		h := v.rows[e.UserID][e.ItemID]
		h.Weight, h.Last = h.Weight+float32(model.DefaultWeights().Of(e.Type, e.Value)), max(h.Last, int64(e.Time))
		v.rows[e.UserID][e.ItemID] = h
	}
	return v
}

func update(p *tile.Plan, all map[string]tile.Bucket, id string, e *event.Event, seq int64) {
	if all[id] == nil {
		all[id] = p.NewBucket()
	}
	p.Update(all[id], row(p, e, seq))
}

func row(p *tile.Plan, e *event.Event, seq int64) *tile.Row {
	r := &tile.Row{}
	p.Fill(r, e, seq)
	return r
}

// files encodes the views with a model in which each category is a direction.
func (v *views) files(t testing.TB, w *world, items []string) []artifact.Encoded {
	t.Helper()
	users := sortedKeys(v.users)
	dim := len(categories)
	userVectors := make([]float32, dim*len(users))
	states, histories := make([][]byte, len(users)), make([][]byte, len(users))
	for i, id := range users {
		states[i] = w.plans.user.NewCodec().AppendView(nil, v.users[id])
		var row []model.HistoryEntry
		for k, item := range items {
			if h, ok := v.rows[id][item]; ok {
				row = append(row, model.HistoryEntry{Item: uint32(k), Weight: h.Weight, Last: h.Last})
				userVectors[i*dim+slices.Index(categories, strings.TrimRight(item, "0123456789"))] += .2
			}
		}
		histories[i] = model.AppendHistory(nil, row)
	}
	itemVectors, popularity, itemStates := make([]float32, dim*len(items)), make([]float32, len(items)), make([][]byte, len(items))
	for k, id := range items {
		itemVectors[k*dim+slices.Index(categories, strings.TrimRight(id, "0123456789"))] = 1 - float32(k)/1000
		popularity[k] = float32(k)
		if v.items[id] != nil {
			itemStates[k] = w.plans.item.NewCodec().AppendView(nil, v.items[id])
		}
	}
	return []artifact.Encoded{
		must(artifact.UserView(users, states, histories))(t),
		must(artifact.ItemView(items, itemStates))(t),
		must(artifact.GlobalView(feature.GlobalID, w.plans.global.NewCodec().AppendView(nil, v.global)))(t),
		must(artifact.UserVectors(users, userVectors, dim))(t),
		must(artifact.ItemVectors(items, itemVectors, dim, popularity))(t),
		artifact.Features(w.feature),
	}
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// point makes a generation the current one.
func (w *world) point(t testing.TB, id string) {
	t.Helper()
	must(w.bucket.PutJSON(t.Context(), model.PointerKey, model.Pointer{Sequence: 1, Current: id, Retained: []model.Retained{{ID: id}}}))(t)
}

// live writes the world's events of epochs from base on into Redis, as the stream layer would, under a
// new incarnation. Fences may be changed before they are written.
func (w *world) live(t testing.TB, incarnation string, base int64, change ...func(*redis.Fence)) {
	t.Helper()
	ctx := t.Context()
	states := map[string]*tile.State{}
	planOf := map[string]*tile.Plan{}
	next := [partitions]int64{}
	keysOf := func(p int32) redis.Keys { return redis.Keys{Partition: p, Namespace: w.plans.namespace} }
	for i, x := range w.entries {
		e, p := x.event, event.PartitionOf([]byte(x.event.UserID), partitions)
		next[p] = int64(i) + 1
		if x.epoch < base {
			continue
		}
		for key, plan := range map[string]*tile.Plan{
			keysOf(p).User(incarnation, e.UserID): w.plans.user,
			keysOf(p).Item(incarnation, e.ItemID): w.plans.item,
			keysOf(p).Global(incarnation):         w.plans.global,
		} {
			if states[key] == nil {
				states[key], planOf[key] = &tile.State{}, plan
			}
			plan.Apply(states[key], row(plan, &e, tile.Seq(p, int64(i))), x.epoch)
			states[key].Next = int64(i) + 1
		}
	}
	for key, s := range states {
		if err := w.client.Set(ctx, key, planOf[key].NewCodec().AppendState(nil, s), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for p := range int32(partitions) {
		f := redis.Fence{TopicID: topicID, Base: base, Epoch: 9, Next: next[p], Target: 0, Incarnation: incarnation}
		for _, c := range change {
			c(&f)
		}
		if err := w.client.Set(ctx, keysOf(p).Fence(), must(f.Encode())(t), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// serve returns a service over the world that has looked at the pointer once.
func (w *world) serve(t testing.TB, change ...func(*Config)) *Service {
	t.Helper()
	c := Config{Bucket: w.bucket, Features: w.feature, Redis: w.client, Partitions: partitions, Now: func() time.Time { return now }}
	for _, f := range change {
		f(&c)
	}
	s := must(New(c))(t)
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// run keeps a service up to date until the test ends.
func run(t testing.TB, s *Service) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx) // returns nil
	}()
	t.Cleanup(func() { stop(); <-done })
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("did not happen in 20 s: %s", what)
		case <-tick.C:
		}
	}
}

func recommendTo(t testing.TB, s *Service, user string, mode recommend.Mode) Recommendations {
	t.Helper()
	return must(s.Recommend(t.Context(), Request{User: user, N: 20, ExcludeSeen: true, Mode: mode}))(t)
}

func ids(list []Item) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.ItemID
	}
	return out
}
