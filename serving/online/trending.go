package online

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/serving/recommend"
)

// trends are the trending items as of an instant, for each mode.
type trends struct {
	of      string // id of the generation
	lists   map[recommend.Mode][]recommend.ItemScore
	reading reading
	at      event.Millis
}

// trending keeps the trending lists, so that requests read memory. They are a sum over all partitions:
// the view of the global entity and the live partials.
type trending struct {
	live  *live
	every time.Duration
	now   func() time.Time

	latest atomic.Pointer[trends]
	mu     sync.Mutex // one refresh at a time
}

// run refreshes until ctx ends.
func (t *trending) run(ctx context.Context, current func() *generation) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		t.mu.Lock()
		t.refresh(ctx, current())
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// get returns the latest lists for the generation, made now when there are none yet.
func (t *trending) get(ctx context.Context, g *generation) *trends {
	if x := t.latest.Load(); x != nil && x.of == g.id() {
		return x
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := t.latest.Load(); x != nil && x.of == g.id() {
		return x
	}
	return t.refresh(ctx, g)
}

func (t *trending) refresh(ctx context.Context, g *generation) *trends {
	at := event.MillisOf(t.now())
	x := &trends{of: g.id(), reading: t.live.global(ctx, g), at: at}
	view, damaged := g.globalView()
	x.lists = map[recommend.Mode][]recommend.ItemScore{
		recommend.ModeBatch:  g.top(at, view, &reading{}),
		recommend.ModeLive:   g.top(at, nil, &x.reading),
		recommend.ModeMerged: g.top(at, view, &x.reading),
	}
	if damaged != nil {
		x.reading.because(reasonView)
	}
	if ctx.Err() == nil { // what a request that went away did not read is not kept
		t.latest.Store(x)
	}
	return x
}

// top reads the feature that ranks items.
func (g *generation) top(at event.Millis, view []byte, r *reading) []recommend.ItemScore {
	if g.plans.trending < 0 {
		return nil
	}
	read := g.plans.global.NewReader()
	read.Select(g.plans.trending)
	g.join(read, at, view, r)
	top, ok := read.Value(g.plans.trending).Top()
	if !ok {
		return nil
	}
	out := make([]recommend.ItemScore, len(top.Keys))
	for i, k := range top.Keys {
		out[i] = recommend.ItemScore{Item: k.Key, Score: float64(k.Count)}
	}
	return out
}
