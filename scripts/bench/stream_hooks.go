package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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

// watcher is a hook of go-redis that counts what the runner commits, keeps a sample of it, notes when which
// offsets were stored, and, where plain is set, stores it without the transaction.
type watcher struct {
	blobs, bytes, transactions atomic.Int64
	plain                      *goredis.Client // nil: the commands go where they belong

	keepBytes int  // of the sample at most
	commits   bool // note them

	mu     sync.Mutex
	turn   int
	every  int // one commit in so many is kept
	kept   int
	sample [][]blob
	log    []commit
	fences map[string]string // of plain, by key
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

func (w *watcher) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (w *watcher) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		t, ok := redis.TransactionOf(cmds)
		if !ok {
			return next(ctx, cmds)
		}
		t.Writes = slices.DeleteFunc(t.Writes, ofIndex)
		var err error
		if w.plain != nil {
			err = w.setAll(ctx, cmds, t)
		} else {
			err = next(ctx, cmds)
		}
		if err == nil {
			w.note(t)
		}
		return err
	}
}

// setAll does the work of the transaction with one pipeline of SETs: the states and the fence, unfenced and without the index.
func (w *watcher) setAll(ctx context.Context, cmds []goredis.Cmder, t redis.Transaction) error {
	before, err := w.fenceBefore(ctx, t)
	if err != nil {
		return err
	}
	_, err = w.plain.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range t.Writes {
			p.Set(ctx, t.Writes[i].Key, t.Writes[i].Value, 0)
		}
		p.Set(ctx, t.Fence, t.Next, 0)
		return nil
	})
	if err != nil {
		return err
	}
	t.Exec.SetVal([]any{before, "OK"})
	if stored, ok := cmds[len(cmds)-1].(*goredis.StringCmd); ok {
		stored.SetVal(t.Next)
	}
	return nil
}

// fenceBefore returns the fence that a transaction would have found.
func (w *watcher) fenceBefore(ctx context.Context, t redis.Transaction) (string, error) {
	w.mu.Lock()
	before, known := w.fences[t.Fence]
	if w.fences == nil {
		w.fences = map[string]string{}
	}
	w.fences[t.Fence] = t.Next
	w.mu.Unlock()
	if known {
		return before, nil
	}
	before, err := w.plain.Get(ctx, t.Fence).Result()
	if errors.Is(err, goredis.Nil) {
		return "", nil
	}
	return before, err
}

// ofIndex reports whether a write is no state but a chunk of the index of what an epoch touched.
func ofIndex(x redis.KV) bool { return strings.Contains(x.Key, ":x:") }

func (w *watcher) note(t redis.Transaction) {
	size := 0
	for i := range t.Writes {
		size += len(t.Writes[i].Value)
	}
	w.transactions.Add(1)
	w.blobs.Add(int64(len(t.Writes)))
	w.bytes.Add(int64(size))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.commits {
		if f, err := redis.ParseFence(t.Next); err == nil {
			w.log = append(w.log, commit{t.Fence, f.Next, time.Now()})
		}
	}
	if w.keepBytes > 0 {
		w.keep(t, size)
	}
}

// keep copies one commit in so many. When the sample is full every other one is dropped, so that it is spread evenly
// over the pass.
func (w *watcher) keep(t redis.Transaction, size int) {
	w.every = max(1, w.every)
	if w.turn++; w.turn%w.every != 0 || len(t.Writes) == 0 {
		return
	}
	all := make([]blob, len(t.Writes))
	for i, b := range t.Writes {
		all[i] = blob{strings.Clone(b.Key), bytes.Clone(b.Value)}
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
// sending what one commit stored and waiting for the answers.
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
