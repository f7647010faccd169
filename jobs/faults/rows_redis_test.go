//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

// commit sets the offsets of a group.
func (w *world) commit(ctx context.Context, group string, at map[int32]int64) error {
	offsets := kadm.Offsets{}
	for p, offset := range at {
		offsets.AddOffset(w.topic, p, offset, -1)
	}
	if err := w.admin.CommitAllOffsets(ctx, group, offsets); err != nil {
		return fmt.Errorf("commit offsets of %s: %w", group, err)
	}
	return nil
}

// behindProxy puts a proxy before what the row's processes dial.
func (w *world) behindProxy(upstream string) (*proxy.Proxy, error) {
	p, err := proxy.Listen(upstream)
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, func() error { p.Close(); return nil })
	return p, nil
}

// replyLost cuts the connection to Redis where a reply would come, again and again.
func replyLost(ctx context.Context, w *world) error {
	p, err := w.behindProxy(w.redisAddr)
	if err != nil {
		return err
	}
	w.redisAddr = p.Addr()
	return underLoad(func(ctx context.Context, w *world, _, _ *process) error {
		for range 25 {
			way, left := proxy.ToClient, int64(0)
			switch w.rng.IntN(4) {
			case 0: // in the middle of a reply
				left = w.rng.Int64N(200)
			case 1: // in the middle of a request
				way, left = proxy.ToServer, w.rng.Int64N(20_000)
			}
			cut := p.CutAfterBytes(left, way)
			if err := await(ctx, "a connection is cut", func() (bool, error) { return closed(cut), nil }); err != nil {
				return err
			}
		}
		return nil
	})(ctx, w)
}

// onOwnRedis is underLoad with a Redis that fault may break.
func onOwnRedis(fault func(ctx context.Context, w *world, server *env.Server, l *process) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		server, err := w.ownRedis(ctx)
		if err != nil {
			return err
		}
		return underLoad(func(ctx context.Context, w *world, l, _ *process) error { return fault(ctx, w, server, l) })(ctx, w)
	}
}

// redisTail kills Redis and cuts what it had not brought to the disk, some times.
func redisTail(ctx context.Context, w *world, server *env.Server, l *process) error {
	for range 3 {
		if err := w.awaitSome(ctx, 1000); err != nil {
			return err
		}
		before, err := w.fences(ctx, w.catalogue)
		if err != nil {
			return err
		}
		if err := server.Kill(); err != nil {
			return err
		}
		if err := env.LoseTail(server, 20_000+w.rng.Int64N(200_000)); err != nil {
			return err
		}
		if err := l.signal(syscall.SIGSTOP); err != nil { // to see what Redis has lost before it is made good
			return err
		}
		if err := server.Start(ctx); err != nil {
			return err
		}
		after, err := w.fences(ctx, w.catalogue)
		if err != nil {
			return err
		}
		if before == nil || after != nil && after[0].Next >= before[0].Next && after[1].Next >= before[1].Next && after[2].Next >= before[2].Next {
			return fmt.Errorf("the fault did not take: fences were %v and are %v", before, after)
		}
		if err := l.signal(syscall.SIGCONT); err != nil {
			return err
		}
	}
	return nil
}

// flushAll empties Redis under the live process, some times.
func flushAll(ctx context.Context, w *world, _ *env.Server, _ *process) error {
	for range 4 {
		if err := w.awaitSome(ctx, 700); err != nil {
			return err
		}
		if err := w.redis.FlushAll(ctx).Err(); err != nil {
			return fmt.Errorf("FLUSHALL: %w", err)
		}
	}
	return nil
}

// scriptFlush makes Redis forget its scripts, of which commits no longer need one, and what its clients watch, which they do need:
// their connections are cut. Again and again.
func scriptFlush(ctx context.Context, w *world, _, _ *process) error {
	for range 20 {
		if err := w.awaitSome(ctx, 150); err != nil {
			return err
		}
		if err := w.redis.ScriptFlush(ctx).Err(); err != nil {
			return fmt.Errorf("SCRIPT FLUSH: %w", err)
		}
		if err := w.redis.ClientKillByFilter(ctx, "TYPE", "normal").Err(); err != nil {
			return fmt.Errorf("CLIENT KILL: %w", err)
		}
	}
	return nil
}

// outOfMemory leaves Redis no memory for some time.
func outOfMemory(ctx context.Context, w *world, _ *env.Server, l *process) error {
	if err := w.awaitSome(ctx, 600); err != nil {
		return err
	}
	info, err := w.redis.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("INFO memory: %w", err)
	}
	_, text, _ := strings.Cut(info, "used_memory:")
	text, _, _ = strings.Cut(text, "\r\n")
	used, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("used_memory of Redis: %w", err)
	}
	if err := w.redis.ConfigSet(ctx, "maxmemory", strconv.FormatInt(used-w.rng.Int64N(100_000), 10)).Err(); err != nil {
		return fmt.Errorf("CONFIG SET maxmemory: %w", err)
	}
	if err := l.awaitLog(ctx, "OOM"); err != nil {
		return err
	}
	if err := w.awaitSome(ctx, 1500); err != nil {
		return err
	}
	if err := w.redis.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		return fmt.Errorf("CONFIG SET maxmemory: %w", err)
	}
	return nil
}

// failover promotes a replica that has not heard of the latest writes, which were acknowledged.
func failover(ctx context.Context, w *world) error {
	master, err := w.ownRedis(ctx)
	if err != nil {
		return err
	}
	link, err := w.behindProxy(master.Addr)
	if err != nil {
		return err
	}
	replica, err := env.StartRedisReplica(ctx, w.config, link.Addr())
	if err != nil {
		return err
	}
	w.stops = append(w.stops, replica.Stop)
	front, err := w.behindProxy(master.Addr)
	if err != nil {
		return err
	}
	w.redisAddr = front.Addr()
	return underLoad(func(ctx context.Context, w *world, _, _ *process) error {
		if err := w.awaitSome(ctx, 1000); err != nil {
			return err
		}
		link.Blackhole()
		before, err := w.fences(ctx, w.catalogue)
		if err != nil {
			return err
		}
		var last map[int32]redis.Fence
		if err := await(ctx, "the master takes writes that the replica lacks", func() (bool, error) {
			last, err = w.fences(ctx, w.catalogue)
			return err == nil && last != nil && before != nil && last[0].Next > before[0].Next+int64(w.rng.IntN(300)), err
		}); err != nil {
			return err
		}
		if err := master.Kill(); err != nil {
			return err
		}
		link.Cut()
		w.useRedis(replica.Addr)
		if err := w.redis.Do(ctx, "REPLICAOF", "NO", "ONE").Err(); err != nil {
			return fmt.Errorf("promote the replica: %w", err)
		}
		after, err := w.fences(ctx, w.catalogue)
		if err != nil {
			return err
		}
		if after[0].Next >= last[0].Next {
			return fmt.Errorf("the fault did not take: the replica's fence is at %d, the master's was at %d", after[0].Next, last[0].Next)
		}
		front.SetUpstream(replica.Addr)
		front.Cut()
		w.redisAddr = front.Addr()
		return w.awaitSome(ctx, 500)
	})(ctx, w)
}

// evicts starts the command on a Redis that may evict: it has to refuse, and to leave nothing there.
func evicts(ctx context.Context, w *world) error {
	policies := []string{"allkeys-lru", "volatile-ttl", "allkeys-random", "volatile-lfu"}
	if _, err := w.ownRedis(ctx, "--maxmemory-policy", policies[w.rng.IntN(len(policies))]); err != nil {
		return err
	}
	if err := w.productTopics(ctx); err != nil {
		return err
	}
	if err := w.sendOrdinary(ctx, w.newShop(), 300); err != nil {
		return err
	}
	p, err := w.product("stream")
	if err != nil {
		return err
	}
	code, err := p.wait(20 * time.Second)
	if err != nil {
		return err
	}
	if code == 0 || !p.says("noeviction") {
		return fmt.Errorf("stream on a Redis that may evict ended with code %d and\n%s", code, p.tail())
	}
	if n, err := w.redis.DBSize(ctx).Result(); err != nil || n != 0 {
		return errors.Join(fmt.Errorf("%d keys in a Redis that was refused", n), err)
	}
	if err := w.redis.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err(); err != nil {
		return fmt.Errorf("CONFIG SET maxmemory-policy: %w", err)
	}
	if _, err := redis.CheckPolicy(ctx, w.redis); err != nil {
		return err
	}
	if _, err := w.product("stream"); err != nil {
		return err
	}
	if _, err := w.product("archive"); err != nil {
		return err
	}
	return w.settle(ctx)
}
