package live

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
)

// gate is a hook of go-redis that holds the commits of one slot up until it is opened.
type gate struct {
	slot   string
	held   chan struct{} // closed when the first one is held
	opened chan struct{}
	once   sync.Once
}

func newGate(slot string) *gate {
	return &gate{slot: slot, held: make(chan struct{}), opened: make(chan struct{})}
}

func (g *gate) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (g *gate) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (g *gate) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if t, ok := redis.TransactionOf(cmds); !ok || !strings.HasPrefix(t.Fence, g.slot) || len(t.Writes) == 0 {
			return next(ctx, cmds)
		}
		g.once.Do(func() { close(g.held) })
		select {
		case <-g.opened:
		case <-ctx.Done():
			return fail(cmds, ctx.Err())
		}
		return next(ctx, cmds)
	}
}

// TestSlowPartitionHoldsUpNobody: while the commits of a partition do not come back, the others go on, however much
// arrives.
func TestSlowPartitionHoldsUpNobody(t *testing.T) {
	s := newSystem(t, 3)
	client := s.dialRedis()
	g := newGate(s.keys(1).Slot())
	client.AddHook(g)
	cfg := s.config(client)
	cfg.QueueBytes = 64 << 10 // which the slow partition would fill alone
	s.start(cfg)
	for i := range 10 {
		s.produce(someEvents(i*200, 200)...)
	}
	<-g.held
	others := int64(0)
	for _, x := range s.oracle.log {
		if event.PartitionOf([]byte(x.event.UserID), 3) != 1 {
			others++
		}
	}
	s.await("the other partitions to catch up", func() bool {
		fences, ok := s.fences()
		return ok && fences[0].Next+fences[2].Next == others && fences[1].Next == 0
	})
	close(g.opened)
	s.awaitCaughtUp()
	s.check(0)
}

// TestStopEndsSteps: told to end, a runner ends the step that it is in, and begins no other one.
func TestStopEndsSteps(t *testing.T) {
	s := newSystem(t, 1)
	client := s.dialRedis()
	g := newGate(s.keys(0).Slot())
	client.AddHook(g)
	s.produce(someEvents(0, 200)...)
	_, stop := s.start(s.config(client))
	<-g.held
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	select {
	case <-stopped:
		t.Fatal("it ended before its step")
	case <-time.After(50 * time.Millisecond):
	}
	close(g.opened)
	<-stopped
	if f, _ := s.fences(); f[0].Next != 64 {
		t.Errorf("the fence is at %d, want one batch of 64", f[0].Next)
	}
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	s.check(0)
}
