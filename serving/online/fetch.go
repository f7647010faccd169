package online

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/redis"
)

// found is the fence and a blob of one partition, or the reason why there is none.
type found struct {
	fence  redis.Fence
	blob   []byte
	reason string
}

// fetch reads the fence and one blob of each partition, each pair at one instant. The blob's key holds
// the fence's incarnation, which is known from the last time; where it has changed, and at first, a
// second round reads again.
func (l *live) fetch(ctx context.Context, namespace string, partitions []int32, key keyFunc) []found {
	started := time.Now()
	defer func() { l.metrics.live.Observe(time.Since(started).Seconds()) }()
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	out := make([]found, len(partitions))
	left := make([]int, len(partitions)) // indexes of out
	for i := range left {
		left[i] = i
	}
	var err error
	for range 2 {
		if left, err = l.round(ctx, namespace, partitions, left, key, out); err != nil || len(left) == 0 {
			break
		}
	}
	for _, i := range left {
		out[i] = found{reason: reasonReplaced}
		if err != nil {
			out[i].reason = reasonUnreachable
		}
	}
	if parent.Err() == nil { // a client that went away says nothing about Redis
		l.breaker.note(err, l.log)
	}
	return out
}

// round reads the given partitions with one MGET each, pipelined, and returns those to read again.
func (l *live) round(ctx context.Context, namespace string, partitions []int32, which []int, key keyFunc, out []found) (again []int, err error) {
	replies := make([]*goredis.SliceCmd, len(which))
	incarnations := make([]string, len(which))
	pipe := l.client.Pipeline()
	for n, i := range which {
		keys := redis.Keys{Partition: partitions[i], Namespace: namespace}
		names := []string{keys.Fence()}
		if incarnations[n] = l.incarnation(incarnationOf{namespace, partitions[i]}); incarnations[n] != "" {
			names = append(names, key(keys, incarnations[n]))
		}
		replies[n] = pipe.MGet(ctx, names...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return which, fmt.Errorf("read live state of %d partitions: %w", len(which), err)
	}
	for n, i := range which {
		f, ok := l.parse(incarnationOf{namespace, partitions[i]}, replies[n].Val(), incarnations[n])
		if !ok {
			again = append(again, i)
			continue
		}
		out[i] = f
	}
	return again, nil
}

// parse reads one reply; ok is false when the blob's key was of another incarnation than the fence's.
func (l *live) parse(p incarnationOf, values []any, incarnation string) (f found, ok bool) {
	raw, exists := values[0].(string)
	if !exists {
		return found{reason: reasonMissing}, true
	}
	fence, err := redis.ParseFence(raw)
	if err != nil {
		return found{reason: reasonDamaged}, true
	}
	if fence.Incarnation != incarnation {
		l.remember(p, fence.Incarnation)
		return found{}, false
	}
	blob, _ := values[1].(string) // absent: the state of an entity never seen
	return found{fence: fence, blob: []byte(blob)}, true
}

func (l *live) incarnation(p incarnationOf) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.incarnations[p]
}

func (l *live) remember(p incarnationOf, incarnation string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.incarnations[p] = incarnation
}
