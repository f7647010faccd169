package online

import (
	"context"
	"log/slog"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
)

// Reasons why live state is not exact.
const (
	reasonNoRedis     = "no live state is configured"
	reasonUnreachable = "Redis cannot be reached"
	reasonMissing     = "live state is missing"
	reasonReplaced    = "live state is being replaced"
	reasonFilling     = "live state is being filled"
	reasonTrimmed     = "live state no longer holds every epoch since this generation"
	reasonTopic       = "live state is of another events topic than this generation"
	reasonDamaged     = "live state cannot be decoded"
)

// live reads live state from Redis.
type live struct {
	client     goredis.UniversalClient // nil: none is configured
	partitions int32                   // of the events topic; 0: as many as the generation's cut names
	timeout    time.Duration
	breaker    breaker
	log        *slog.Logger
	metrics    *metrics

	mu           sync.Mutex
	incarnations map[incarnationOf]string // as of the last fence read
}

// reading is what live state adds to an answer.
type reading struct {
	states  [][]byte // encoded, one a partition that was read and may be joined
	epochs  int      // how many buckets they hold that join the generation
	status  LiveStatus
	reasons []string
	offsets map[int32]int64
}

// user reads the state of a user.
func (l *live) user(ctx context.Context, g *generation, id string) reading {
	n := l.count(g)
	if n == 0 {
		return reading{status: LiveAbsent, reasons: []string{reasonNoRedis}}
	}
	p := event.PartitionOf([]byte(id), n)
	return l.read(ctx, g, g.plans.user, []int32{p}, func(k redis.Keys, incarnation string) string { return k.User(incarnation, id) })
}

// item reads the partials of an item, which every partition may have.
func (l *live) item(ctx context.Context, g *generation, id string) reading {
	return l.read(ctx, g, g.plans.item, l.all(g), func(k redis.Keys, incarnation string) string { return k.Item(incarnation, id) })
}

// global reads the partials of the global entity. It asks Redis even while requests leave it alone,
// and so finds out when it is back.
func (l *live) global(ctx context.Context, g *generation) reading {
	return l.readNow(ctx, g, g.plans.global, l.all(g), redis.Keys.Global)
}

// count is the number of partitions, 0 when there is no live state to read.
func (l *live) count(g *generation) int32 {
	switch {
	case l.client == nil:
		return 0
	case l.partitions > 0:
		return l.partitions
	}
	return int32(len(g.manifest.Inputs.Cut))
}

func (l *live) all(g *generation) []int32 {
	out := make([]int32, l.count(g))
	for p := range out {
		out[p] = int32(p)
	}
	return out
}

// incarnationOf is where an incarnation was read.
type incarnationOf struct {
	namespace string
	partition int32
}

type keyFunc func(k redis.Keys, incarnation string) string

// read reads and judges one blob of each of the given partitions. It never fails: what went wrong is
// in the reading.
func (l *live) read(ctx context.Context, g *generation, plan *tile.Plan, partitions []int32, key keyFunc) reading {
	if l.breaker.open() && len(partitions) > 0 {
		return reading{status: LiveDegraded, reasons: []string{reasonUnreachable}}
	}
	return l.readNow(ctx, g, plan, partitions, key)
}

// readNow is read whether requests leave Redis alone or not.
func (l *live) readNow(ctx context.Context, g *generation, plan *tile.Plan, partitions []int32, key keyFunc) reading {
	if len(partitions) == 0 {
		return reading{status: LiveAbsent, reasons: []string{reasonNoRedis}}
	}
	found := l.fetch(ctx, g.plans.namespace, partitions, key)
	r := reading{offsets: map[int32]int64{}}
	missing := 0
	for i, f := range found {
		if f.reason == reasonMissing {
			missing++
		}
		r.take(partitions[i], f, g, plan)
	}
	switch {
	case missing == len(partitions):
		r.status = LiveAbsent
	case len(r.reasons) > 0:
		r.status = LiveDegraded
	default:
		r.status = LiveExact
	}
	return r
}

// take adds what was found in one partition.
func (r *reading) take(p int32, f found, g *generation, plan *tile.Plan) {
	if f.reason != "" {
		r.because(f.reason)
		return
	}
	if topic := g.manifest.Inputs.TopicID; topic != "" && topic != f.fence.TopicID {
		r.because(reasonTopic)
		return
	}
	next, epochs, err := plan.Peek(f.blob)
	if err != nil {
		r.because(reasonDamaged)
		return
	}
	if f.fence.Base > g.cut() {
		r.because(reasonTrimmed)
	}
	if !f.fence.Filled() {
		r.because(reasonFilling)
	}
	if next > f.fence.Next { // the blob is of a position that the fence has lost; see DESIGN §4
		r.because(reasonFilling)
	}
	for _, epoch := range epochs {
		if epoch >= g.cut() {
			r.epochs++
		}
	}
	r.states = append(r.states, f.blob)
	r.offsets[p] = f.fence.Next
}

// because notes a reason once.
func (r *reading) because(reason string) {
	for _, known := range r.reasons {
		if known == reason {
			return
		}
	}
	r.reasons = append(r.reasons, reason)
}
