package jobs

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/serving/console"
	"github.com/anabranch/anabranch/serving/httpapi"
	"github.com/anabranch/anabranch/serving/online"
)

// newOnline returns the service that answers requests from a bucket's generations and live state.
func (rt *runtimeEnv) newOnline(s *servers, b *bucket.Bucket, topics kafka.Topics, live goredis.UniversalClient) (*online.Service, error) {
	features, err := feature.Default()
	if err != nil {
		return nil, fmt.Errorf("load features: %w", err)
	}
	return online.New(online.Config{
		Bucket: b, Features: features, Redis: live, Partitions: topics.Partitions,
		KafkaSeeds: s.seeds, KafkaOptions: s.clientOptions(), Now: rt.now, Logger: rt.log,
	})
}

// newHandler returns the whole HTTP face; ingest and pulse may be nil.
func (rt *runtimeEnv) newHandler(o *online.Service, reg *prometheus.Registry, ingest http.Handler, pulse func(context.Context) httpapi.Pulse) (http.Handler, error) {
	return httpapi.New(httpapi.Options{
		Service: o, Registry: reg, Pulse: pulse, Ingest: ingest, Console: console.Handler(), Logger: rt.log,
	})
}

// dialRedis dials Redis and refuses one that may evict keys.
func (rt *runtimeEnv) dialRedis(s *servers) (goredis.UniversalClient, error) {
	client, err := redis.Dial(s.redis)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "dial Redis at %s: %w", s.redis, err)
	}
	p, err := redis.CheckPolicy(rt.ctx, client)
	if err != nil {
		_ = client.Close()
		return nil, api.Errorf(api.Unavailable, "Redis at %s: %w", s.redis, err)
	}
	if !p.Known && !s.local {
		rt.log.Warn("whether Redis may evict keys is unknown", "reason", p.Reason)
	}
	return client, nil
}

type serveCmd struct {
	stores
	Listen     string `default:"127.0.0.1:8080" help:"Address to answer on."`
	Partitions int32  `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// Run answers requests until it is told to stop.
func (c *serveCmd) Run(rt *runtimeEnv) (err error) {
	l, err := listen(c.Listen)
	if err != nil {
		return err
	}
	p, err := rt.open(&c.stores, c.Partitions, false)
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	live, err := rt.dialRedis(p.servers)
	if err != nil {
		return err
	}
	defer func() { _ = live.Close() }()
	o, err := rt.newOnline(p.servers, p.bucket, p.topics, live)
	if err != nil {
		return err
	}
	if err := o.Refresh(rt.ctx); err != nil {
		rt.log.Warn("no generation to serve yet", "error", err)
	}
	handler, err := rt.newHandler(o, newRegistry(), nil, nil)
	if err != nil {
		return err
	}
	rt.log.Info("serving", "address", l.Addr().String())
	return runAll(rt.ctx, httpService(l, handler, rt.log), service{"serving", o.Run})
}
