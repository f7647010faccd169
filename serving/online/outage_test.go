package online

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/serving/recommend"
)

func TestWhyLiveIsNotExact(t *testing.T) {
	p := event.PartitionOf([]byte("u0"), partitions)
	for _, c := range []struct {
		name   string
		spoil  func(t *testing.T, w *world)
		live   LiveStatus
		reason string
	}{
		{"no fence", func(*testing.T, *world) {}, LiveAbsent, reasonMissing},
		{"trimmed", func(t *testing.T, w *world) { w.live(t, "A", 0, func(f *redis.Fence) { f.Base = 2 }) }, LiveDegraded, reasonTrimmed},
		{"filling", func(t *testing.T, w *world) { w.live(t, "A", 0, func(f *redis.Fence) { f.Target = f.Next + 1 }) }, LiveDegraded, reasonFilling},
		{"blob ahead of its fence", func(t *testing.T, w *world) { w.live(t, "A", 0, func(f *redis.Fence) { f.Next-- }) }, LiveDegraded, reasonFilling},
		{"other topic", func(t *testing.T, w *world) {
			w.live(t, "A", 0, func(f *redis.Fence) { f.TopicID = strings.Repeat("f", 32) })
		}, LiveDegraded, reasonTopic},
		{"garbage blob", func(t *testing.T, w *world) {
			w.live(t, "A", 0)
			key := redis.Keys{Partition: p, Namespace: w.plans.namespace}.User("A", "u0")
			if err := w.redis.Server().Set(key, "\x01\xff"); err != nil {
				t.Fatal(err)
			}
		}, LiveDegraded, reasonDamaged},
		{"garbage fence", func(t *testing.T, w *world) {
			w.live(t, "A", 0)
			if err := w.redis.Server().Set(redis.Keys{Partition: p, Namespace: w.plans.namespace}.Fence(), "{}"); err != nil {
				t.Fatal(err)
			}
		}, LiveDegraded, reasonDamaged},
		{"no server", func(t *testing.T, w *world) { w.live(t, "A", 0); w.redis.Server().Close() }, LiveDegraded, reasonUnreachable},
		{"refusing server", func(t *testing.T, w *world) {
			w.live(t, "A", 0)
			w.redis.Server().SetError("LOADING Redis is loading the dataset in memory")
		}, LiveDegraded, reasonUnreachable},
		{"silent server", func(t *testing.T, w *world) {
			l := must(net.Listen("tcp", "127.0.0.1:0"))(t) // the kernel connects, nobody answers
			t.Cleanup(func() { l.Close() })
			w.client = must(redis.Dial(l.Addr().String()))(t)
			t.Cleanup(func() { w.client.Close() })
		}, LiveDegraded, reasonUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.history(6)
			w.point(t, w.generation(t, 1, items()))
			w.act(1, "u0", "socks1", "view", time.Second)
			c.spoil(t, w)
			s := w.serve(t)
			got := recommendTo(t, s, "u0", "")
			if r := got.Receipt; r.Live != c.live || !r.Degraded || r.Reason != c.reason {
				t.Errorf("receipt %+v, want %s because %q", r, c.live, c.reason)
			}
			if len(got.Items) != 20 {
				t.Errorf("%d items", len(got.Items))
			}
		})
	}
}

func TestWithoutRedis(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	s := w.serve(t, func(c *Config) { c.Redis = nil })
	got := recommendTo(t, s, "u0", "")
	if r := got.Receipt; r.Live != LiveAbsent || !r.Degraded || r.Reason != reasonNoRedis || len(got.Items) != 20 {
		t.Errorf("receipt %+v, %d items", r, len(got.Items))
	}
}

func TestNewIncarnationIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	w.act(1, "u0", "socks1", "view", time.Second)
	w.live(t, "A", 0)
	s := w.serve(t)
	if f := must(s.Features(t.Context(), "u0"))(t); f.Features["views_1h"].String() != "1" {
		t.Fatalf("features %v", f.Features)
	}
	w.act(1, "u0", "socks2", "view", time.Second)
	w.live(t, "B", 0)
	f := must(s.Features(t.Context(), "u0"))(t)
	if f.Features["views_1h"].String() != "2" || f.Receipt.Live != LiveExact {
		t.Errorf("after the new incarnation: %v, receipt %+v", f.Features, f.Receipt)
	}
}

// TestRedisDiesUnderLoad kills Redis in the middle of requests: none fails, none is empty, all say what
// they lack, and later ones do not wait. When it comes back, so does the exact answer.
func TestRedisDiesUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.history(12)
	w.point(t, w.generation(t, 1, items()))
	w.act(1, "u0", "socks1", "view", time.Second)
	w.live(t, "A", 0)
	s := w.serve(t, func(c *Config) { c.Trending = 20 * time.Millisecond })
	run(t, s)
	var exact, degraded atomic.Int64
	load := hammer(t, s, func(a Recommendations) error {
		switch {
		case len(a.Items) != 20:
			return fmt.Errorf("%d items", len(a.Items))
		case a.Receipt.Live == LiveExact && !a.Receipt.Degraded:
			exact.Add(1)
		case a.Receipt.Live == LiveDegraded && a.Receipt.Reason == reasonUnreachable:
			degraded.Add(1)
		default:
			return fmt.Errorf("receipt %+v", a.Receipt)
		}
		return nil
	})
	eventually(t, "exact answers", func() bool { return exact.Load() > 20 })
	w.redis.Server().Close()
	eventually(t, "degraded answers", func() bool { return degraded.Load() > 100 })
	start := time.Now()
	for range 50 {
		recommendTo(t, s, "u0", "")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("50 answers while Redis is away took %v: requests wait for it", took)
	}
	if err := w.redis.Server().Restart(); err != nil {
		t.Fatal(err)
	}
	before := exact.Load()
	eventually(t, "exact answers again", func() bool { return exact.Load() > before+20 })
	load()
}

// hammer asks for recommendations from several goroutines until the returned function is called, which
// reports the first answer that check refuses.
func hammer(t *testing.T, s *Service, check func(Recommendations) error) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	failed := make(chan error, 8)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := worker; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				a, err := s.Recommend(t.Context(), Request{User: fmt.Sprint("u", i%12), N: 20, ExcludeSeen: true})
				if err == nil {
					err = check(a)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	return func() {
		close(ended)
		all.Wait()
		select {
		case err := <-failed:
			t.Errorf("an answer failed: %v", err)
		default:
		}
	}
}

// TestHotSwap publishes generations under load. No request fails, and each answer is of one generation:
// the one that its receipt names.
func TestHotSwap(t *testing.T) {
	w := newWorld(t)
	w.history(12)
	w.live(t, "A", 0)
	all := items()
	generations := map[string]string{} // id → the item that only it lacks
	var order []string
	for n := range int64(6) {
		lacks := all[n]
		var rest []string
		for _, x := range all {
			if x != lacks {
				rest = append(rest, x)
			}
		}
		id := w.generation(t, n+1, rest)
		generations[id] = lacks
		order = append(order, id)
	}
	w.point(t, order[0])
	s := w.serve(t, func(c *Config) { c.Poll = 5 * time.Millisecond; c.Trending = 5 * time.Millisecond })
	run(t, s)
	var answers atomic.Int64
	stop := hammer(t, s, func(a Recommendations) error {
		answers.Add(1)
		lacks, known := generations[a.Receipt.Generation]
		if !known || a.Receipt.Degraded {
			return fmt.Errorf("receipt %+v", a.Receipt)
		}
		for _, x := range a.Items {
			if x.ItemID == lacks && x.Source == recommend.SourceMF {
				return fmt.Errorf("generation %s has no %s, and its answer has", a.Receipt.Generation, lacks)
			}
		}
		return nil
	})
	for _, id := range append(order[1:], order[2]) { // the last one is a rollback
		w.point(t, id)
		before := answers.Load()
		eventually(t, "generation "+id, func() bool { return s.Generation().ID == id && answers.Load() > before+20 })
	}
	stop()
}

func TestDamagedGenerationIsNotTaken(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	first, second := w.generation(t, 1, items()), w.generation(t, 2, items())
	w.point(t, first)
	w.live(t, "A", 0)
	s := w.serve(t)
	key := model.GenerationPrefix(second) + model.ItemVectorsFile
	whole, _, err := w.bucket.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	must(w.bucket.Put(t.Context(), key, bytes.Replace(whole, []byte("boots1"), []byte("boats1"), 1)))(t)
	w.point(t, second)
	if err := s.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), model.ItemVectorsFile) {
		t.Fatalf("refresh: %v", err)
	}
	if got := recommendTo(t, s, "u0", ""); got.Receipt.Generation != first || got.Receipt.Degraded {
		t.Errorf("receipt %+v", got.Receipt)
	}
	check := s.Checks(t.Context())[0]
	if check.OK || check.Required || !strings.Contains(check.Detail, first) || !strings.Contains(check.Detail, "damaged") {
		t.Errorf("check %+v", check)
	}
	must(w.bucket.Put(t.Context(), key, whole))(t)
	if err := s.generations.refresh(t.Context(), false); err == nil {
		t.Error("a refused generation was read again at once")
	}
	if err := s.Refresh(t.Context()); err != nil || s.Generation().ID != second {
		t.Errorf("after the repair: %v, serving %s", err, s.Generation().ID)
	}
	if check := s.Checks(t.Context())[0]; !check.OK || check.Detail != second {
		t.Errorf("check %+v", check)
	}
}

func TestBucketOutageKeepsServing(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	id := w.generation(t, 1, items())
	w.point(t, id)
	w.live(t, "A", 0)
	down := atomic.Bool{}
	faulty, _ := errbucket.Wrap(w.bucket, errbucket.Fault{Match: func(errbucket.Op) bool { return down.Load() }, Effect: errbucket.Fail, Nth: 0})
	s := w.serve(t, func(c *Config) { c.Bucket = faulty })
	down.Store(true)
	_ = s.Refresh(t.Context()) // whatever it says
	got := recommendTo(t, s, "u0", "")
	if got.Receipt.Generation != id || got.Receipt.Degraded || len(got.Items) != 20 {
		t.Errorf("receipt %+v, %d items", got.Receipt, len(got.Items))
	}
	if check := s.Checks(t.Context())[0]; check.OK || check.Required {
		t.Errorf("check %+v", check)
	}
}

// TestClientsThatGoAwaySayNothingAboutRedis cancels requests: the breaker must not count them.
func TestClientsThatGoAwaySayNothingAboutRedis(t *testing.T) {
	w := newWorld(t)
	w.history(6)
	w.point(t, w.generation(t, 1, items()))
	w.live(t, "A", 0)
	s := w.serve(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * breakAfter {
		must(s.Features(gone, "u0"))(t)
		must(s.Trending(gone, 5, nil))(t)
	}
	if got := must(s.Trending(t.Context(), 5, nil))(t); got.Receipt.Live != LiveExact {
		t.Errorf("trending: receipt %+v", got.Receipt)
	}
	if got := recommendTo(t, s, "u0", ""); got.Receipt.Live != LiveExact {
		t.Errorf("recommendations: receipt %+v", got.Receipt)
	}
}

func TestTrendingIsOfTheGenerationServed(t *testing.T) {
	w := newWorld(t)
	w.act(0, "u0", "hats1", "view", time.Hour)
	first := w.generation(t, 1, items())
	w.act(1, "u0", "socks1", "view", time.Hour)
	w.act(1, "u1", "socks1", "view", time.Hour)
	second := w.generation(t, 2, items())
	s := w.serve(t, func(c *Config) { c.Redis = nil })
	for _, c := range []struct{ id, top string }{{first, "hats1"}, {second, "socks1"}} {
		w.point(t, c.id)
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := must(s.Trending(t.Context(), 1, nil))(t); got.Receipt.Generation != c.id || got.Items[0].ItemID != c.top {
			t.Errorf("generation %s: %+v, receipt %+v", c.id, got.Items, got.Receipt)
		}
	}
}

// TestDamagedRowsAreSaid serves a generation whose files verify and whose content makes no sense.
func TestDamagedRowsAreSaid(t *testing.T) {
	w := newWorld(t)
	w.history(1)
	v := w.views(1)
	files := v.files(t, w, items())
	files[0] = must(artifact.UserView([]string{"u0"}, [][]byte{{9, 9}}, [][]byte{model.AppendHistory(nil, []model.HistoryEntry{{Item: 1 << 30, Weight: 1}})}))(t)
	w.point(t, w.store(t, w.inputs(1), files))
	w.live(t, "A", 0)
	s := w.serve(t)
	if got := recommendTo(t, s, "u0", ""); !strings.Contains(got.Receipt.Reason, reasonHistory) || len(got.Items) != 20 {
		t.Errorf("recommendations: receipt %+v, %d items", got.Receipt, len(got.Items))
	}
	if got := must(s.Features(t.Context(), "u0"))(t); !got.Receipt.Degraded || !strings.Contains(got.Receipt.Reason, reasonView) {
		t.Errorf("features: receipt %+v", got.Receipt)
	}
}
