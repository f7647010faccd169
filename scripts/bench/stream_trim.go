package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/stream/live"
)

const (
	idleUsers = 1_000_000 // where USERS is not set
	trimBar   = 10 * time.Minute
	trimLead  = 5 * time.Second // of steady traffic, warming up and to compare with, before the floor rises
)

// runTrim measures how long it takes until Redis holds nothing more of users who have been idle since the epochs that
// the floor has risen above, while others' events come in at a steady rate. Each idle user has one event in epoch 0, then two
// marks end it and the one after (whose events might be repetitions), and the floor rises to 1.
func runTrim(ctx context.Context, out *report, s *streamSetup) (err error) {
	users, err := numberOr("USERS", idleUsers)
	if err != nil {
		return err
	}
	t, stop, err := startStand(ctx, s, startApacheKafka)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	x := &trimRun{stand: t, users: int(users), client: t.dial()}
	defer func() { err = errors.Join(err, x.client.Close()) }()
	x.side = goredis.NewClient(&goredis.Options{Addr: t.redisAddr})
	defer func() { err = errors.Join(err, x.side.Close()) }()
	if x.producer, err = kafka.Dial([]string{t.broker.addr}, nil, kafka.Local(), kgo.MaxBufferedRecords(100_000)); err != nil {
		return err
	}
	defer x.producer.Close()
	if err := s.work.makeTopics(ctx, x.producer); err != nil {
		return err
	}
	return x.run(ctx, out)
}

// trimRun is one measurement.
type trimRun struct {
	stand
	users    int
	producer *kgo.Client
	client   *goredis.Client // the runner's
	side     *goredis.Client // this program's own, which no hook sees

	namespace string
	floor     atomic.Int64
	watcher   watcher
	slices    sliceTimes
	clock     producedAt
	raised    time.Time // the floor
	gone      time.Time // the last idle state
	used      [3]cpuUse // when the traffic began, when the floor was raised, when the last idle state was gone
}

// cpuUse is the CPU time, seconds, that this process and Redis had used at an instant.
type cpuUse struct {
	at         time.Time
	own, redis float64
}

func (x *trimRun) use() (cpuUse, error) {
	own, err := cpuTime()
	if err != nil {
		return cpuUse{}, err
	}
	redis, err := cpuOf(x.redisPID)
	return cpuUse{time.Now(), own.Seconds(), redis}, err
}

// cores returns how many cores this process and Redis kept busy between two instants.
func cores(from, to cpuUse) (own, redis float64) {
	seconds := to.at.Sub(from.at).Seconds()
	return round((to.own - from.own) / seconds), round((to.redis - from.redis) / seconds)
}

func (x *trimRun) run(ctx context.Context, out *report) error {
	cfg, err := x.config(x.client)
	if err != nil {
		return err
	}
	cfg.Floor = x.floor.Load
	x.namespace, x.clock.at = tile.Namespace(cfg.Catalogue), make([][]time.Duration, cfg.Partitions)
	x.client.AddHook(&x.slices)
	x.watcher.commits = true
	x.client.AddHook(&x.watcher)
	r, err := live.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	err = x.measure(ctx, r)
	cancel()
	if err = errors.Join(err, <-done); err != nil {
		return err
	}
	return x.report(context.WithoutCancel(ctx), out)
}

func (x *trimRun) measure(ctx context.Context, r *live.Runner) error {
	x.s.log.Info("filling", "users", x.users)
	if err := x.fill(ctx); err != nil {
		return err
	}
	if err := awaitApplied(ctx, r, int64(x.users)); err != nil {
		return err
	}
	for n := range int64(2) {
		for p := range x.s.work.Partitions {
			if _, err := kafka.WriteMark(ctx, x.producer, kafka.EventsTopic, p, n+1, []byte(`{}`)); err != nil {
				return err
			}
		}
	}
	marks := 2 * int64(x.s.work.Partitions)
	if err := awaitApplied(ctx, r, int64(x.users)+marks); err != nil {
		return err
	}
	var err error
	if x.used[0], err = x.use(); err != nil {
		return err
	}
	trimmed := make(chan error, 1)
	produced, err := pace(ctx, x.producer, x.s.work, &x.clock, func(elapsed time.Duration) bool {
		if x.raised.IsZero() && elapsed > trimLead {
			x.s.log.Info("raising the floor")
			x.raised = time.Now()
			go func() { trimmed <- x.raise(ctx) }()
		}
		return len(trimmed) > 0
	})
	if err != nil {
		return err
	}
	return errors.Join(<-trimmed, awaitApplied(ctx, r, int64(x.users)+marks+produced))
}

// fill produces one event of every idle user.
func (x *trimRun) fill(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range x.users {
		now := time.Now()
		e := event.Event{
			ID: fmt.Sprint("idle", i), UserID: fmt.Sprint("idle", i), ItemID: fmt.Sprint("i", 10_000+i%x.s.work.Items), Type: "view", Time: event.MillisOf(now),
		}
		r, err := record(&e, event.ContentTypeProtobuf)
		if err != nil {
			return err
		}
		r.Timestamp = now
		x.producer.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
		if ctx.Err() != nil {
			break
		}
	}
	if err := x.producer.Flush(ctx); err != nil {
		return fmt.Errorf("fill the topic: %w", context.Cause(ctx))
	}
	return nil
}

// raise raises the floor and returns when the index of epoch 0 is gone in every partition: nothing is idle then.
func (x *trimRun) raise(ctx context.Context) error {
	var indexes []string
	for p := range x.s.work.Partitions {
		keys := redis.Keys{Partition: p, Namespace: x.namespace}
		raw, err := x.side.Get(ctx, keys.Fence()).Result()
		if err != nil {
			return fmt.Errorf("read the fence of partition %d: %w", p, err)
		}
		fence, err := redis.ParseFence(raw)
		if err != nil {
			return err
		}
		indexes = append(indexes, keys.Index(fence.Incarnation, 0))
	}
	err := watchServer(ctx, x.side)
	if err != nil {
		return err
	}
	if x.used[1], err = x.use(); err != nil {
		return err
	}
	x.slices.begin()
	x.floor.Store(1)
	ctx, cancel := context.WithTimeout(ctx, trimBar+time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := x.side.Exists(ctx, indexes...).Result()
		if err != nil {
			return fmt.Errorf("look for indexes: %w", err)
		}
		if left == 0 {
			x.gone = time.Now()
			x.slices.end()
			x.used[2], err = x.use()
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d partitions still have idle states after %s", left, len(indexes), time.Since(x.raised).Round(time.Second))
		}
	}
}

func (x *trimRun) report(ctx context.Context, out *report) error {
	left, _, err := userBytesOf(ctx, x.side, "*:u:idle*")
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d of %d idle users still have a state", left, x.users)
	}
	command, slowest, err := slowest(ctx, x.side)
	if err != nil {
		return err
	}
	server, err := commitTime(ctx, x.side, .99)
	if err != nil {
		return err
	}
	params := x.s.work.params()
	delete(params, "events")
	delete(params, "span_h")
	took := x.slices.sorted()
	maps.Copy(params, map[string]any{
		"broker": x.broker.name, "rate": pacedRate, "idle_users": x.users, "slices": len(took), "slowest_command": command,
	})
	params["cores_runner_before"], params["cores_redis_before"] = cores(x.used[0], x.used[1])
	params["cores_runner_while"], params["cores_redis_while"] = cores(x.used[1], x.used[2])
	seconds := x.gone.Sub(x.raised).Seconds()
	out.add("trim_seconds", seconds, "s", params)
	out.add("trim_users_per_s", float64(x.users)/seconds, "users/s", params)
	if len(took) == 0 {
		return errors.New("no slice of trimming was seen among the runner's commands")
	}
	out.add("trim_slice_p50_ms", atQuantile(took, .5), "ms", params)
	out.add("trim_slice_p99_ms", atQuantile(took, .99), "ms", params)
	out.add("trim_slice_max_ms", took[len(took)-1], "ms", params)
	out.add("trim_server_commit_p99_ms", server, "ms", params)
	out.add("trim_slowlog_max_ms", slowest, "ms", params)
	before := x.clock.servable(x.watcher.log, x.namespace, x.clock.first().Add(pacedWarm), x.raised)
	while := x.clock.servable(x.watcher.log, x.namespace, x.raised, x.gone)
	if len(before) == 0 || len(while) == 0 {
		return errors.New("no event was seen to become servable among the runner's commands")
	}
	out.add("servable_p99_ms_before_trimming", atQuantile(before, .99), "ms", params)
	out.add("servable_p99_ms_while_trimming", atQuantile(while, .99), "ms", params)
	return nil
}
