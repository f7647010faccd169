package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// watchServer makes a Redis note what keeps it busy for 0.5 ms and more, and count anew.
func watchServer(ctx context.Context, client *goredis.Client) error {
	// The slow log has scripts and single commands, the latency monitor whole transactions, too.
	for setting, value := range map[string]string{"slowlog-log-slower-than": "500", "slowlog-max-len": "100000", "latency-monitor-threshold": "1"} {
		if err := client.ConfigSet(ctx, setting, value).Err(); err != nil {
			return fmt.Errorf("set %s of Redis: %w", setting, err)
		}
	}
	for _, command := range [][]any{{"SLOWLOG", "RESET"}, {"LATENCY", "RESET"}, {"CONFIG", "RESETSTAT"}} {
		if err := client.Do(ctx, command...).Err(); err != nil {
			return fmt.Errorf("%v: %w", command, err)
		}
	}
	return nil
}

// slowest returns the command for which the server was busy longest since it began to watch, and how long, ms.
func slowest(ctx context.Context, client *goredis.Client) (command string, ms float64, err error) {
	logs, err := client.SlowLogGet(ctx, -1).Result()
	if err != nil {
		return "", 0, fmt.Errorf("read the slow log: %w", err)
	}
	for _, l := range logs {
		if took := l.Duration.Seconds() * 1000; took > ms && len(l.Args) > 0 {
			command, ms = l.Args[0], took
		}
	}
	latest, err := client.Do(ctx, "LATENCY", "LATEST").Slice()
	if err != nil {
		return "", 0, fmt.Errorf("read the latency monitor: %w", err)
	}
	for _, row := range latest { // name, when, last, greatest (ms)
		if r, ok := row.([]any); ok && len(r) >= 4 {
			if most, ok := r[3].(int64); ok && (r[0] == "command" || r[0] == "fast-command") && float64(most) > ms+1 {
				command, ms = "of a transaction", float64(most)
			}
		}
	}
	return command, ms, nil
}

// commitTime returns below which time, ms, the server was busy with a share q of the commits (scripts and transactions)
// since it began to count. It counts in powers of two, so the answer is up to twice too high.
func commitTime(ctx context.Context, client *goredis.Client, q float64) (ms float64, err error) {
	reply, err := client.Do(ctx, "LATENCY", "HISTOGRAM", "evalsha", "exec").Result()
	if err != nil {
		return 0, fmt.Errorf("read the latencies of commits: %w", err)
	}
	atMost, calls := map[int64]int64{}, int64(0) // µs to how many commits took no longer
	commands, _ := reply.(map[any]any)
	for _, command := range commands {
		c, _ := command.(map[any]any)
		n, _ := c["calls"].(int64)
		calls += n
		buckets, _ := c["histogram_usec"].(map[any]any)
		for bound, count := range buckets {
			us, _ := bound.(int64)
			n, _ := count.(int64)
			atMost[us] += n
		}
	}
	for _, us := range slices.Sorted(maps.Keys(atMost)) {
		if float64(atMost[us]) >= q*float64(calls) {
			return float64(us) / 1000, nil
		}
	}
	return 0, fmt.Errorf("the server tells no latencies of commits: %v", reply)
}

// sliceTimes is a hook of go-redis that notes how long commits took which only trim: they move no fence and take
// members out of sets.
type sliceTimes struct {
	mu   sync.Mutex
	on   bool
	took []float64 // ms
}

func (h *sliceTimes) begin() { h.mu.Lock(); h.on = true; h.mu.Unlock() }
func (h *sliceTimes) end()   { h.mu.Lock(); h.on = false; h.mu.Unlock() }

func (h *sliceTimes) sorted() []float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.took))
}

func (h *sliceTimes) note(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		h.took = append(h.took, time.Since(began).Seconds()*1000)
	}
}

// DialHook implements goredis.Hook.
func (h *sliceTimes) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements goredis.Hook.
func (h *sliceTimes) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook implements goredis.Hook: a slice is a transaction with an SREM.
func (h *sliceTimes) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		if slices.ContainsFunc(cmds, func(c goredis.Cmder) bool { return c.Name() == "srem" }) {
			h.note(began)
		}
		return err
	}
}
