package main

import (
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
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/infra/redis"
)

// blob is one state as a commit stores it.
type blob struct {
	key   string
	value []byte
}

// watcher is a hook of go-redis that counts what the runner commits, keeps the first of it, notes when which
// offsets were stored, and, where plain is set, stores it without the transaction.
type watcher struct {
	blobs, bytes, transactions atomic.Int64
	plain                      *goredis.Client // nil: the commands go where they belong

	keepBytes int  // of what is committed, from the first on
	commits   bool // note them

	mu        sync.Mutex
	kept      [][]blob
	bytesKept int
	log       []commit
	fences    map[string]string // of plain, by key
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
	if w.bytesKept += size; w.bytesKept <= w.keepBytes {
		w.kept = append(w.kept, blobsOf(t, size))
	}
}

// blobsOf copies a commit into memory of its own.
func blobsOf(t redis.Transaction, size int) []blob {
	out, values := make([]blob, len(t.Writes)), make([]byte, 0, size)
	for i, b := range t.Writes {
		from := len(values)
		values = append(values, b.Value...)
		out[i] = blob{strings.Clone(b.Key), values[from:len(values):len(values)]}
	}
	return out
}

// setLimit returns how many states a second plain pipelined SETs store: those of a pass, in its order, from an
// empty Redis on as there, so that as many keys are new. Two connections each send what one commit stored and wait for
// the answers.
func setLimit(ctx context.Context, addr string, commits [][]blob, atLeast time.Duration) (rate float64, err error) {
	if len(commits) == 0 {
		return 0, errors.New("no commit was kept")
	}
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { err = errors.Join(err, client.Close()) }()
	stored, taken := 0, time.Duration(0)
	for taken < atLeast {
		if err := client.FlushAll(ctx).Err(); err != nil {
			return 0, fmt.Errorf("empty redis: %w", err)
		}
		began := time.Now()
		n, err := setEach(ctx, client, commits)
		if err != nil {
			return 0, err
		}
		stored, taken = stored+n, taken+time.Since(began)
	}
	return float64(stored) / taken.Seconds(), nil
}

// setEach sends every commit once.
func setEach(ctx context.Context, client *goredis.Client, commits [][]blob) (stored int, err error) {
	var next, sum atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range 2 {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(commits)); i = next.Add(1) - 1 {
				_, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
					for _, b := range commits[i] {
						p.Set(ctx, b.key, b.value, 0)
					}
					return nil
				})
				if err != nil {
					return fmt.Errorf("set %d states: %w", len(commits[i]), err)
				}
				sum.Add(int64(len(commits[i])))
			}
			return nil
		})
	}
	err = group.Wait()
	return int(sum.Load()), err
}
