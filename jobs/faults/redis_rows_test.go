//go:build integration

package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/env"
	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

// replyLost cuts the connection to Redis where a reply would come, again and again.
func replyLost(ctx context.Context, w *world) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	p, err := proxy.Listen(w.redisAddr)
	if err != nil {
		return err
	}
	w.stops = append(w.stops, func() error { p.Close(); return nil })
	w.redisAddr = p.Addr()
	if _, _, err := w.pair(); err != nil {
		return err
	}
	f := w.flow(ctx, 40, 10*time.Millisecond)
	for range 25 {
		way, left := proxy.ToClient, int64(0)
		switch w.rng.IntN(4) {
		case 0: // in the middle of a reply
			left = w.rng.Int64N(200)
		case 1: // in the middle of a request
			way, left = proxy.ToServer, w.rng.Int64N(20_000)
		}
		cut := p.CutAfterBytes(left, way)
		if err := await(ctx, "a reply is cut", func() (bool, error) {
			select {
			case <-cut:
				return true, nil
			default:
				return false, nil
			}
		}); err != nil {
			return err
		}
	}
	if err := f.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// redisTail kills Redis and cuts what it had not brought to the disk, some times.
func redisTail(ctx context.Context, w *world) error {
	server, err := w.ownRedis(ctx)
	if err != nil {
		return err
	}
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	f := w.flow(ctx, 40, 10*time.Millisecond)
	for range 3 {
		if err := w.awaitProduced(ctx, 300+w.rng.IntN(700)); err != nil {
			return err
		}
		if err := server.Kill(); err != nil {
			return err
		}
		if err := env.LoseTail(server, w.rng.Int64N(200_000)); err != nil {
			return err
		}
		if err := server.Start(ctx); err != nil {
			return err
		}
	}
	if err := f.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// flushAll empties Redis under the live process, some times.
func flushAll(ctx context.Context, w *world) error {
	if _, err := w.ownRedis(ctx); err != nil {
		return err
	}
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	if _, _, err := w.pair(); err != nil {
		return err
	}
	f := w.flow(ctx, 40, 10*time.Millisecond)
	for range 4 {
		if err := w.awaitProduced(ctx, 200+w.rng.IntN(500)); err != nil {
			return err
		}
		if err := w.redis.FlushAll(ctx).Err(); err != nil {
			return fmt.Errorf("FLUSHALL: %w", err)
		}
	}
	if err := f.stop(); err != nil {
		return err
	}
	return w.settle(ctx)
}
