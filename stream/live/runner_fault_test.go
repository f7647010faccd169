package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// fault is a hook of go-redis that fails calls before or after they reach the server.
type fault struct {
	mu     sync.Mutex
	rng    *rand.Rand   // nil where every is 0
	every  atomic.Int64 // 1 in so many calls fails; 0: none
	before atomic.Bool  // every call fails before it is sent
	failed atomic.Int64
}

var errInjected = errors.New("injected fault")

func (f *fault) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (f *fault) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		return f.strike(cmds, func() error { return next(ctx, cmds) })
	}
}

func (f *fault) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		return f.strike([]goredis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (f *fault) strike(cmds []goredis.Cmder, send func() error) error {
	strike, unsent := f.draw()
	if f.before.Load() || strike && unsent {
		f.failed.Add(1)
		return fail(cmds, errInjected)
	}
	err := send()
	if strike { // the server executed it, the answer is lost
		f.failed.Add(1)
		return fail(cmds, errInjected)
	}
	return err
}

// fail makes an error the outcome of commands.
func fail(cmds []goredis.Cmder, err error) error {
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}

// draw decides whether a call fails, and if so whether before it is sent.
func (f *fault) draw() (strike, unsent bool) {
	every := f.every.Load()
	if every == 0 {
		return false, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.Int64N(every) == 0, f.rng.IntN(2) == 0
}

func TestRunnerSurvivesFaultsAndKills(t *testing.T) {
	s := newSystem(t, 2)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the faults: %d", seed)
	f := fault{rng: rand.New(rand.NewPCG(seed, 0))}
	f.every.Store(4)
	for round := range 6 {
		client := s.dialRedis()
		client.AddHook(&f)
		cfg := s.config(client)
		cfg.BatchRecords, cfg.CacheBytes = 7, 20_000 // so that states are evicted and loaded again
		_, stop := s.start(cfg)
		s.produce(someEvents(round*200, 200)...)
		if round%2 == 0 {
			s.mark()
			s.garbage("{")
		}
		before := f.failed.Load()
		s.await("some faults", func() bool { return f.failed.Load() > before+3 })
		stop()
	}
	f.every.Store(0)
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
	s.check(2)
}

func TestRunnerWaitsForRedis(t *testing.T) {
	s := newSystem(t, 2)
	var f fault
	client := s.dialRedis()
	client.AddHook(&f)
	f.before.Store(true)
	r, _ := s.start(s.config(client))
	s.produce(someEvents(0, 100)...)
	s.await("failed calls", func() bool { return f.failed.Load() > 4 })
	for _, p := range r.Status() {
		if p.Running {
			t.Errorf("partition %d says that it runs while Redis is away", p.Partition)
		}
	}
	f.before.Store(false)
	s.awaitCaughtUp()
	s.check(0)
}

func TestTwoRunnersFight(t *testing.T) {
	s := newSystem(t, 2)
	a := s.config(s.redis)
	b := s.config(s.dialRedis())
	b.Group += "-other" // another group: both own every partition
	a.BatchRecords, b.BatchRecords = 5, 8
	ra, _ := s.start(a)
	rb, _ := s.start(b)
	met := func() bool {
		return metric(t, ra, "fence_mismatches_total", "ahead")+metric(t, rb, "fence_mismatches_total", "ahead") > 0
	}
	for i := 0; i < 10 || !met(); i++ { // how often they meet is up to the scheduler
		if i == 500 {
			t.Fatal("the runners never met, so nothing was tested")
		}
		s.produce(someEvents(i*60, 60)...)
		if i%4 == 1 {
			s.mark()
		}
		s.awaitCaughtUp()
	}
	s.check(0)
	s.check(1)
}

func TestTwoRunnersShare(t *testing.T) {
	s := newSystem(t, 4)
	s.produce(someEvents(0, 100)...)
	first, stop := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	second, _ := s.start(s.config(s.redis))
	var once sync.Once
	s.await("partitions to be shared", func() bool {
		once.Do(func() { s.produce(someEvents(100, 50)...) })
		return len(first.Status()) == 2 && len(second.Status()) == 2
	})
	s.produce(someEvents(150, 100)...)
	s.awaitCaughtUp()
	stop()
	s.produce(someEvents(250, 100)...)
	s.awaitCaughtUp()
	s.check(0)
}

func TestRedisLosesEverything(t *testing.T) {
	s := newSystem(t, 2)
	s.produce(someEvents(0, 200)...)
	r, _ := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.mark()
	s.produce(someEvents(200, 50)...)
	s.mark()
	s.produce(someEvents(230, 50)...) // partly repeats the epoch before: the refill has to know it
	s.awaitCaughtUp()
	before, _ := s.fences()
	s.raiseFloor(2)
	s.await("the base to rise", func() bool { f, ok := s.fences(); return ok && f[0].Base == 2 && f[1].Base == 2 })
	s.loseEverything()
	s.produce(someEvents(280, 50)...)
	s.awaitCaughtUp()
	after, _ := s.fences()
	for p, f := range after {
		if f.Incarnation == before[p].Incarnation || f.Base != 2 || f.Epoch != 2 || !f.Filled() {
			t.Errorf("partition %d: fence %+v does not look refilled from the floor", p, f)
		}
	}
	s.check(2)
	if metric(t, r, "fence_mismatches_total", "missing") == 0 {
		t.Error("no missing fence was counted")
	}
}

// loseEverything empties an embedded Redis; in a real one, which may be shared, the system's keys go.
func (s *system) loseEverything() {
	s.t.Helper()
	if os.Getenv(realRedis) == "" {
		if err := s.redis.FlushAll(context.Background()).Err(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	_, err := s.redis.TxPipelined(context.Background(), func(p goredis.Pipeliner) error {
		for partition := range s.partitions {
			for k := range s.dump(partition) {
				p.Del(context.Background(), k)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestRedisFallsBack restores an older fence and states while the runner is idle.
func TestRedisFallsBack(t *testing.T) {
	s := newSystem(t, 1)
	s.produce(someEvents(0, 100)...)
	r, _ := s.start(s.config(s.redis))
	s.awaitCaughtUp()
	old := s.dump(0)
	s.produce(someEvents(100, 100)...)
	s.awaitCaughtUp()
	s.restore(old)
	s.await("the rollback to be noticed", func() bool {
		return metric(t, r, "fence_mismatches_total", "behind") > 0
	})
	s.awaitCaughtUp()
	s.check(0)
}

func (s *system) dump(partition int32) map[string]string {
	s.t.Helper()
	ctx := context.Background()
	out := map[string]string{}
	scan := s.redis.Scan(ctx, 0, s.keys(partition).Slot()+s.keys(partition).Namespace+"*", 1000).Iterator()
	for scan.Next(ctx) {
		out[scan.Val()] = s.redis.Get(ctx, scan.Val()).Val()
	}
	if scan.Err() != nil || len(out) == 0 {
		s.t.Fatalf("dumped %d keys: %v", len(out), scan.Err())
	}
	return out
}

// restore makes the partition's fence and states what they were, in one step. Indexes, which are sets, may name too much.
func (s *system) restore(old map[string]string) {
	s.t.Helper()
	now := s.dump(0)
	_, err := s.redis.TxPipelined(context.Background(), func(p goredis.Pipeliner) error {
		for k := range now {
			if !isIndex(k) {
				p.Del(context.Background(), k)
			}
		}
		for k, v := range old {
			if !isIndex(k) {
				p.Set(context.Background(), k, v, 0)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func isIndex(key string) bool { return strings.HasSuffix(key, ":x") || strings.Contains(key, ":x:") }
