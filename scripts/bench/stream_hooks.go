package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/redis"
)

// blob is one state as a commit stores it.
type blob struct {
	key   string
	value []byte
}

// script is a call of the commit script, as infra/redis documents its arguments.
type script struct {
	keys []any
	args []any
	next string // the fence after it
}

// parseScript returns the call that a command makes; ok is false for every other command.
func parseScript(cmd goredis.Cmder) (s script, ok bool) {
	all := cmd.Args()
	if name := cmd.Name(); name != "evalsha" && name != "eval" || len(all) < 4 {
		return s, false
	}
	n, ok := all[2].(int)
	if !ok || len(all) < 3+n+4 {
		return s, false
	}
	s.keys, s.args = all[3:3+n], all[3+n:]
	s.next, ok = s.args[1].(string)
	return s, ok
}

// blobs returns how many states the call stores.
func (s script) blobs() int { n, _ := s.args[2].(int); return n }

func (s script) blob(i int) blob {
	key, _ := s.keys[1+i].(string)
	value, _ := s.args[4+i].([]byte)
	return blob{key, value}
}

// watcher is a hook of go-redis that counts what the runner commits, keeps a sample of it, notes when which
// offsets were stored, and, where plain is set, stores it without the script.
type watcher struct {
	blobs, bytes, scripts atomic.Int64
	plain                 *goredis.Client // nil: the commands go where they belong

	keepBytes int  // of the sample at most
	commits   bool // note them

	mu     sync.Mutex
	turn   int
	every  int // one script in so many is kept
	kept   int
	sample [][]blob
	log    []commit
}

// commit says that offsets of a partition below next were readable at an instant.
type commit struct {
	fence string // its key
	next  int64
	at    time.Time
}

func (w *watcher) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (w *watcher) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (w *watcher) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		s, ok := parseScript(cmd)
		if !ok {
			return next(ctx, cmd)
		}
		var err error
		if w.plain != nil {
			err = w.setAll(ctx, cmd, s)
		} else {
			err = next(ctx, cmd)
		}
		if err == nil {
			w.note(s)
		}
		return err
	}
}

// setAll does the work of the script with one pipeline of SETs: the states and the fence, unfenced and without the index.
func (w *watcher) setAll(ctx context.Context, cmd goredis.Cmder, s script) error {
	reply, ok := cmd.(*goredis.Cmd)
	if !ok {
		return fmt.Errorf("a script's reply is a %T", cmd)
	}
	_, err := w.plain.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range s.blobs() {
			b := s.blob(i)
			p.Set(ctx, b.key, b.value, 0)
		}
		p.Set(ctx, fmt.Sprint(s.keys[0]), s.next, 0)
		return nil
	})
	if err != nil {
		cmd.SetErr(err)
		return err
	}
	reply.SetVal([]any{int64(1), s.next})
	return nil
}

func (w *watcher) note(s script) {
	n, size := s.blobs(), 0
	for i := range n {
		size += len(s.blob(i).value)
	}
	w.scripts.Add(1)
	w.blobs.Add(int64(n))
	w.bytes.Add(int64(size))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.commits {
		if f, err := redis.ParseFence(s.next); err == nil {
			w.log = append(w.log, commit{fmt.Sprint(s.keys[0]), f.Next, time.Now()})
		}
	}
	if w.keepBytes > 0 {
		w.keep(s, n, size)
	}
}

// keep copies one script in so many. When the sample is full every other one is dropped, so that it is spread evenly
// over the pass.
func (w *watcher) keep(s script, n, size int) {
	w.every = max(1, w.every)
	if w.turn++; w.turn%w.every != 0 || n == 0 {
		return
	}
	all := make([]blob, n)
	for i := range all {
		b := s.blob(i)
		all[i] = blob{strings.Clone(b.key), bytes.Clone(b.value)}
	}
	w.sample = append(w.sample, all)
	if w.kept += size; w.kept <= w.keepBytes {
		return
	}
	w.every *= 2
	w.kept = 0
	half := w.sample[:0]
	for i, all := range w.sample {
		if i%2 == 1 {
			half = append(half, all)
			for _, b := range all {
				w.kept += len(b.value)
			}
		}
	}
	clear(w.sample[len(half):])
	w.sample = half
}

// setLimit returns how many of the sampled states a second plain pipelined SETs store, with two connections, each
// sending what one script stored and waiting for the answers.
func setLimit(ctx context.Context, addr string, sample [][]blob, atLeast time.Duration) (rate float64, err error) {
	if len(sample) == 0 {
		return 0, errors.New("no commit was sampled")
	}
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { err = errors.Join(err, client.Close()) }()
	var turn, stored atomic.Int64
	began := time.Now()
	work := func() error {
		for time.Since(began) < atLeast && ctx.Err() == nil {
			all := sample[int(turn.Add(1))%len(sample)]
			_, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for _, b := range all {
					p.Set(ctx, b.key, b.value, 0)
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("set %d states: %w", len(all), err)
			}
			stored.Add(int64(len(all)))
		}
		return ctx.Err()
	}
	var group sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		group.Go(func() { errs[i] = work() })
	}
	group.Wait()
	return float64(stored.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}
