package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/stream/live"
)

// producerMemory is what the process that is measured takes beside its runner: it produces, and notes when it produced what.
const producerMemory = 192 << 20

// pacedRate is how many events a second the paced part produces.
const pacedRate = 20_000

// pacedWarm is what is not judged: until caches, connections and the group have come up.
const pacedWarm = 3 * time.Second

// producedAt notes when each offset of a partition was handed to the producer.
type producedAt struct {
	mu   sync.Mutex
	base time.Time
	at   [][]time.Duration // by partition, offset: after base; 0 where nothing was
}

func (c *producedAt) set(partition int32, offset int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base.IsZero() {
		c.base = at.Add(-time.Hour) // producers may be noted out of order
	}
	list := &c.at[partition]
	for int64(len(*list)) <= offset {
		*list = append(*list, 0)
	}
	(*list)[offset] = at.Sub(c.base)
}

// first is when the first event was produced.
func (c *producedAt) first() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := time.Duration(0)
	for _, list := range c.at {
		for _, at := range list {
			if at > 0 && (first == 0 || at < first) {
				first = at
			}
		}
	}
	return c.base.Add(first)
}

// servable returns how long the events that were produced after one instant and until another took until a commit
// had them, ms, ascending.
func (c *producedAt) servable(log []commit, namespace string, after, until time.Time) []float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var took []float64
	for p, at := range c.at {
		fence, next := redis.Keys{Partition: int32(p), Namespace: namespace}.Fence(), int64(0)
		for _, x := range log {
			if x.fence != fence {
				continue
			}
			for ; next < x.next && next < int64(len(at)); next++ {
				if produced := c.base.Add(at[next]); at[next] > 0 && produced.After(after) && !produced.After(until) {
					took = append(took, x.at.Sub(produced).Seconds()*1000)
				}
			}
		}
	}
	slices.Sort(took)
	return took
}

// atQuantile returns a quantile of ascending values, NaN of none.
func atQuantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// runServable measures how long it takes from an event's being handed to a producer until a reader of Redis finds
// it counted, at a steady rate on Apache Kafka.
func runServable(ctx context.Context, out *report, s *streamSetup) (err error) {
	t, stop, err := startStand(ctx, s, startApacheKafka)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b, client := t.broker, t.dial()
	defer func() { err = errors.Join(err, client.Close()) }()
	w := &watcher{commits: true}
	client.AddHook(w)
	producer, err := kafka.Dial([]string{b.addr}, nil, kafka.Local())
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := s.work.makeTopics(ctx, producer); err != nil {
		return err
	}
	cfg, err := t.config(client)
	if err != nil {
		return err
	}
	// The process that is measured produces, too, and notes when.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(live.Memory(1) + producerMemory))
	r, err := live.New(cfg)
	if err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(runCtx) }()
	clock := &producedAt{at: make([][]time.Duration, s.work.Partitions)}
	before, err := t.times()
	if err != nil {
		return err
	}
	var produced int64
	var memory [2]float64 // of this process, resident, MB: after a third of the time, and at the end
	profile := ""
	if s.profile != "" {
		profile = s.profile + ".servable"
	}
	used, err := measureUse(func() error {
		return t.profiled(profile, func() (err error) {
			produced, err = pace(ctx, producer, s.work, clock, func(elapsed time.Duration) bool {
				if memory[0] == 0 && elapsed > s.paced/3 {
					memory[0] = residentMB()
				}
				return elapsed > s.paced
			})
			memory[1] = residentMB()
			return err
		})
	})
	if err != nil {
		return err
	}
	after, err := t.times()
	if err != nil {
		return err
	}
	if err := awaitApplied(ctx, r, produced); err != nil {
		return err
	}
	cancel()
	if err := <-done; err != nil {
		return err
	}
	cores := func(cpu float64) float64 { return cpu / used.Wall }
	reportServable(out, s, b, clock, w.log, tile.Namespace(cfg.Catalogue), memory, map[string]any{
		"cores_runner_and_producer": round(cores(used.CPU)), "cores_redis": round(cores(after[0] - before[0])), "cores_broker": round(cores(after[1] - before[1])),
		"commits": len(w.log),
	})
	return nil
}

// pace produces at the rate until enough, which is asked every few milliseconds, says so. It returns how many events it
// made.
func pace(ctx context.Context, producer *kgo.Client, w workload, clock *producedAt, enough func(elapsed time.Duration) bool) (produced int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const slice = 2 * time.Millisecond
	shop, began := w.shopper(), time.Now()
	tick := time.NewTicker(slice)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		elapsed := time.Since(began)
		if enough(elapsed) {
			break
		}
		for ; produced < int64(elapsed.Seconds()*pacedRate); produced++ {
			at := time.Now()
			e := shop.next(event.MillisOf(at))
			r, err := record(&e, event.ContentTypeProtobuf)
			if err != nil {
				return produced, err
			}
			r.Timestamp = at
			producer.Produce(ctx, r, func(r *kgo.Record, err error) {
				if err != nil {
					cancel(err)
					return
				}
				clock.set(r.Partition, r.Offset, at)
			})
		}
	}
	if err := producer.Flush(ctx); err != nil {
		return produced, fmt.Errorf("produce at a steady rate: %w", context.Cause(ctx))
	}
	return produced, nil
}

func awaitApplied(ctx context.Context, r *live.Runner, produced int64) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var next int64
		for _, p := range r.Status() {
			next += p.Next
		}
		if next >= produced {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func reportServable(out *report, s *streamSetup, b *broker, clock *producedAt, log []commit, namespace string, memory [2]float64, used map[string]any) {
	params := s.work.params()
	delete(params, "events")
	delete(params, "span_h")
	maps.Copy(params, map[string]any{
		"broker": b.name, "rate": pacedRate, "seconds": s.paced.Seconds(), "warm_s": pacedWarm.Seconds(), "codec": event.ContentTypeProtobuf,
	})
	maps.Copy(params, used)
	took := clock.servable(log, namespace, clock.first().Add(pacedWarm), time.Now())
	if len(took) == 0 {
		s.log.Warn("nothing was measured: the paced part is shorter than its warming up")
		return
	}
	out.add("servable_p50_ms", atQuantile(took, .5), "ms", params)
	out.add("servable_p99_ms", atQuantile(took, .99), "ms", params)
	out.add("servable_p999_ms", atQuantile(took, .999), "ms", params)
	out.add("servable_max_ms", took[len(took)-1], "ms", params)
	out.add("servable_memory_third_mb", memory[0], "MB", params)
	out.add("servable_memory_end_mb", memory[1], "MB", params)
}

// round keeps two digits after the point.
func round(x float64) float64 { return math.Round(x*100) / 100 }

// residentMB is the resident memory of this process, 0 where the system does not tell.
func residentMB() float64 {
	stat, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(stat), &size, &resident); err != nil {
		return 0
	}
	return resident * float64(os.Getpagesize()) / (1 << 20)
}
