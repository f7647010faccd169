package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/stream/live"
)

// passes is a part that reads one topic several times.
type passes struct {
	name        string
	contentType string
	broker      func(context.Context, *streamSetup) (*broker, error)
	plain       bool // compare with plain SETs, too
}

// pass is what reading the topic once took.
type pass struct {
	wall                     float64 // seconds
	blobs, bytes, commits    int64
	cpu, cpuRedis, cpuBroker float64  // seconds; cpu is of the runner
	states, stateBytes       int64    // of users, in Redis at the end
	kept                     [][]blob // the first commits, where they are kept
}

func (p *pass) rate() float64 { return float64(p.blobs) / p.wall }

const (
	keptBytes   = 3 << 29 // of a pass, for the limit: all states of 1.5 million events
	limitTime   = 5 * time.Second
	plainRounds = 2 // pairs of a fenced and a plain pass
)

func runPasses(ctx context.Context, out *report, s *streamSetup, p passes) (err error) {
	stand, stop, err := startStand(ctx, s, p.broker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b := stand.broker
	s.log.Info("filling the topic", "broker", b.name)
	size, err := s.work.fill(ctx, []string{b.addr}, p.contentType)
	if err != nil {
		return err
	}
	params := s.work.params()
	maps.Copy(params, map[string]any{"broker": b.name, "codec": p.contentType, "record_bytes": size / int64(s.work.Events), "cores": runtime.NumCPU(), "batch": s.batch})
	if err := reportConsume(ctx, out, s, p, b, params); err != nil {
		return err
	}
	var fenced, plain []*pass
	rounds := 1
	if p.plain {
		rounds = plainRounds
	}
	for round := range rounds {
		profile := ""
		if round == 0 && s.profile != "" {
			profile = s.profile + "." + p.name
		}
		x, err := stand.run(ctx, profile, false, false)
		if err != nil {
			return err
		}
		fenced = append(fenced, x)
		if !p.plain {
			continue
		}
		if x, err = stand.run(ctx, "", false, true); err != nil {
			return err
		}
		plain = append(plain, x)
	}
	kept, err := stand.run(ctx, "", true, false) // in a pass of its own, since it takes memory and time
	if err != nil {
		return err
	}
	params["limit_commits"] = len(kept.kept)
	limit, err := setLimit(ctx, stand.redisAddr, kept.kept, limitTime)
	if err != nil {
		return err
	}
	out.add("state_bytes_per_user", float64(kept.stateBytes)/float64(kept.states), "B", params)
	reportPasses(out, p, params, fenced, plain, limit)
	return nil
}

// reportConsume measures what reading the topic alone takes.
func reportConsume(ctx context.Context, out *report, s *streamSetup, p passes, b *broker, params map[string]any) error {
	used, err := measureUse(func() error { return s.work.consume(ctx, []string{b.addr}) })
	if err != nil {
		return err
	}
	n := float64(s.work.Events)
	out.add("consume_only_per_s_"+p.name, n/used.Wall, "records/s", params)
	out.add("cpu_consume_us_per_event_"+p.name, used.CPU/n*1e6, "µs", params)
	return nil
}

func reportPasses(out *report, p passes, params map[string]any, fenced, plain []*pass, limit float64) {
	n := float64(params["events"].(int))
	best := fenced[0]
	for _, x := range fenced {
		if x.rate() > best.rate() {
			best = x
		}
	}
	params = maps.Clone(params)
	params["machine_share"] = round((best.cpu + best.cpuRedis + best.cpuBroker) / best.wall / float64(runtime.NumCPU()))
	out.add("events_per_s_"+p.name, n/best.wall, "events/s", params)
	out.add("blobs_per_s_"+p.name, best.rate(), "blobs/s", params)
	out.add("blobs_per_commit_"+p.name, float64(best.blobs)/float64(best.commits), "1", params)
	out.add("bytes_per_blob_"+p.name, float64(best.bytes)/float64(best.blobs), "B", params)
	out.add("set_limit_"+p.name, limit, "blobs/s", params)
	out.add("e2e_over_set_limit_"+p.name, best.rate()/limit, "1", params)
	out.add("cpu_runner_us_per_event_"+p.name, best.cpu/n*1e6, "µs", params)
	out.add("cpu_redis_us_per_event_"+p.name, best.cpuRedis/n*1e6, "µs", params)
	out.add("cpu_broker_us_per_event_"+p.name, best.cpuBroker/n*1e6, "µs", params)
	if len(plain) == 0 {
		return
	}
	ratio := 0.0 // the mean over pairs, each of passes that followed each other
	for i := range plain {
		ratio += fenced[i].rate() / plain[i].rate() / float64(len(plain))
	}
	out.add("fenced_over_plain", ratio, "1", params)
	out.add("blobs_per_s_plain", plain[len(plain)-1].rate(), "blobs/s", params)
}

// stand is where passes run.
type stand struct {
	s         *streamSetup
	broker    *broker
	redisAddr string
	redisPID  int
}

// startStand starts a broker and a Redis.
func startStand(ctx context.Context, s *streamSetup, start func(context.Context, *streamSetup) (*broker, error)) (t stand, stop func() error, err error) {
	b, err := start(ctx, s)
	if err != nil {
		return stand{}, nil, err
	}
	server, pid, err := startStreamRedis(ctx, s)
	if err != nil {
		return stand{}, nil, errors.Join(err, b.stop())
	}
	return stand{s, b, server.Addr, pid}, func() error { return errors.Join(server.Stop(), b.stop()) }, nil
}

// dial returns a client that the runner can use: an owner of each partition keeps a connection beside those that it reads with.
func (t *stand) dial() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: t.redisAddr, ContextTimeoutEnabled: true, PoolSize: 2 * int(t.s.work.Partitions)})
}

// run reads the topic once, from an empty Redis until all fences are at their ends.
func (t *stand) run(ctx context.Context, profile string, keep, plain bool) (p *pass, err error) {
	client := t.dial()
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.FlushAll(ctx).Err(); err != nil {
		return nil, fmt.Errorf("empty redis: %w", err)
	}
	w := &watcher{}
	if keep {
		w.keepBytes = keptBytes
	}
	if plain {
		w.plain = goredis.NewClient(client.Options())
		defer func() { err = errors.Join(err, w.plain.Close()) }()
	}
	client.AddHook(w)
	cfg, err := t.config(client)
	if err != nil {
		return nil, err
	}
	p = &pass{}
	before, err := t.times()
	if err != nil {
		return nil, err
	}
	used, err := measureUse(func() error { return t.profiled(profile, func() error { return t.drain(ctx, cfg) }) })
	if err != nil {
		return nil, err
	}
	after, err := t.times()
	if err != nil {
		return nil, err
	}
	p.wall, p.cpu, p.cpuRedis, p.cpuBroker = used.Wall, used.CPU, after[0]-before[0], after[1]-before[1]
	p.blobs, p.bytes, p.commits, p.kept = w.blobs.Load(), w.bytes.Load(), w.transactions.Load(), w.kept
	t.s.log.Info("pass", "plain", plain, "events/s", float64(t.s.work.Events)/p.wall, "blobs/s", p.rate(), "blobs", p.blobs, "commits", p.commits,
		"cpu", p.cpu, "cpu_redis", p.cpuRedis, "cpu_broker", p.cpuBroker, "wall", p.wall, "peak_mb", used.PeakMB)
	if keep {
		p.states, p.stateBytes, err = userBytes(ctx, client)
	}
	return p, err
}

func (t *stand) times() (x [2]float64, err error) {
	for i, pid := range []int{t.redisPID, t.broker.pid} {
		if x[i], err = cpuOf(pid); err != nil {
			return x, err
		}
	}
	return x, nil
}

func (t *stand) config(client goredis.UniversalClient) (live.Config, error) {
	c, err := feature.Default()
	if err != nil {
		return live.Config{}, err
	}
	return live.Config{
		Seeds: []string{t.broker.addr}, Partitions: t.s.work.Partitions, Redis: client, Catalogue: c,
		Origin: func(_ context.Context, p int32) (live.Origin, error) { return live.OriginOf(0, nil, p) },
		Floor:  func() int64 { return 0 },
		Clock:  time.Now, BatchRecords: t.s.batch, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, nil
}

// drain runs a runner until all is applied.
func (t *stand) drain(ctx context.Context, cfg live.Config) error {
	r, err := live.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return errors.Join(err, ctx.Err())
		case <-tick.C:
			var next int64
			for _, p := range r.Status() {
				next += p.Next
			}
			if next >= int64(t.s.work.Events) {
				cancel()
				return <-done
			}
		}
	}
}

// profiled runs f, and leaves the CPU profile of it in a file unless that has no name.
func (t *stand) profiled(name string, f func() error) (err error) {
	if name == "" {
		return f()
	}
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("make the profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("start the profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return f()
}

// userBytes returns how many users have a state in Redis, and how many bytes they have together.
func userBytes(ctx context.Context, client *goredis.Client) (states, bytes int64, err error) {
	return userBytesOf(ctx, client, "*:u:*")
}

// userBytesOf is userBytes of the keys of a pattern.
func userBytesOf(ctx context.Context, client *goredis.Client, pattern string) (states, bytes int64, err error) {
	const page = 1000
	var cursor uint64
	for {
		keys, next, err := client.Scan(ctx, cursor, pattern, page).Result()
		if err != nil {
			return 0, 0, fmt.Errorf("list the states of users: %w", err)
		}
		lengths, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, k := range keys {
				p.StrLen(ctx, k)
			}
			return nil
		})
		if err != nil {
			return 0, 0, fmt.Errorf("measure the states of users: %w", err)
		}
		for _, l := range lengths {
			bytes += l.(*goredis.IntCmd).Val()
		}
		states += int64(len(keys))
		if cursor = next; cursor == 0 {
			return states, bytes, nil
		}
	}
}
