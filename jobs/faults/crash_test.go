//go:build integration

package faults

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/model"
)

// Points of the live process. open is the transaction that opens a fence, fence the one that moves it, letters the dead
// letters of a batch, commit the group's offset.
const (
	beforeOpen    = "before open"
	afterOpen     = "after open"
	afterLoad     = "after load"
	beforeFence   = "before fence"
	afterFence    = "after fence"
	beforeLetters = "before letters"
	afterLetters  = "after letters"
	commitSent    = "commit sent"
	commitDone    = "commit done"
)

// Points of the archive process.
const (
	beforePut   = "before put"
	afterPut    = "after put"
	beforeIndex = "before index"
	afterIndex  = "after index"
)

// crash ends the process the way a power cut does, at the n-th passage of a point.
type crash struct {
	point string
	left  atomic.Int64
}

func newCrash(point string, at int) *crash {
	c := &crash{point: point}
	c.left.Store(int64(at))
	return c
}

// pass is called at every point.
func (c *crash) pass(point string) {
	if point != c.point || c.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal ends this goroutine too
}

// redisCrashes makes the points around what the live process asks Redis for.
type redisCrashes struct{ c *crash }

// DialHook implements goredis.Hook.
func (h redisCrashes) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessPipelineHook implements goredis.Hook.
func (h redisCrashes) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		before, after := pointsOf(cmds)
		h.c.pass(before)
		err := next(ctx, cmds)
		if err == nil || errors.Is(err, goredis.Nil) {
			h.c.pass(after)
		}
		return err
	}
}

// ProcessHook implements goredis.Hook.
func (h redisCrashes) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && cmd.Name() == "mget" {
			h.c.pass(afterLoad)
		}
		return err
	}
}

// pointsOf returns the points before and after a commit. One that does nothing but write a fence opens it.
func pointsOf(cmds []goredis.Cmder) (before, after string) {
	t, ok := redis.TransactionOf(cmds)
	switch {
	case !ok:
		return "-", "-"
	case len(t.Writes)+t.Others == 0:
		return beforeOpen, afterOpen
	}
	return beforeFence, afterFence
}

// kafkaCrashes makes the points around what a process writes to Kafka: records of a topic, and group offsets.
type kafkaCrashes struct {
	c     *crash
	topic string
}

// OnProduceRecordBuffered implements kgo.HookProduceRecordBuffered.
func (h kafkaCrashes) OnProduceRecordBuffered(r *kgo.Record) {
	if r.Topic == h.topic {
		h.c.pass(beforeLetters)
	}
}

// OnProduceRecordUnbuffered implements kgo.HookProduceRecordUnbuffered.
func (h kafkaCrashes) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	if r.Topic == h.topic && err == nil {
		h.c.pass(afterLetters)
	}
}

const offsetCommitKey = 8 // of Kafka's protocol

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (h kafkaCrashes) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == offsetCommitKey && err == nil {
		h.c.pass(commitSent)
	}
}

// OnBrokerRead implements kgo.HookBrokerRead.
func (h kafkaCrashes) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == offsetCommitKey && err == nil {
		h.c.pass(commitDone)
	}
}

// bucketCrashes makes the points around what the archiver writes.
func bucketCrashes(b *bucket.Bucket, c *crash) *bucket.Bucket {
	return bucket.New(crashDriver{b.Driver(), c})
}

type crashDriver struct {
	bucket.Driver
	c *crash
}

// Put implements bucket.Driver.
func (d crashDriver) Put(ctx context.Context, key string, data []byte, cond bucket.Condition) (string, error) {
	before, after := beforePut, afterPut
	if strings.HasPrefix(key, model.IndexPrefix) {
		before, after = beforeIndex, afterIndex
	}
	d.c.pass(before)
	etag, err := d.Driver.Put(ctx, key, data, cond)
	if err == nil {
		d.c.pass(after)
	}
	return etag, err
}
