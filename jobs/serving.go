package jobs

import (
	"context"
	"errors"
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
func (rt *runtimeEnv) newOnline(s *servers, b *bucket.Bucket, topics kafka.Topics, features feature.Catalogue, live goredis.UniversalClient, reg prometheus.Registerer) (*online.Service, error) {
	return online.New(online.Config{
		Bucket: b, Features: features, Redis: live, Partitions: topics.Partitions,
		KafkaSeeds: s.seeds, KafkaOptions: s.clientOptions(), Now: rt.now, Logger: rt.log, Registerer: reg,
	})
}

// newHandler returns the whole HTTP face; ingest and pulse may be nil.
func (rt *runtimeEnv) newHandler(o *online.Service, reg *prometheus.Registry, ingest http.Handler, pulse func(context.Context) httpapi.Pulse) (http.Handler, error) {
	return httpapi.New(httpapi.Options{
		Service: o, Registry: reg, Pulse: pulse, Ingest: ingest, Console: console.Handler(), Logger: rt.log,
	})
}

// dialRedis dials Redis and refuses one that may evict keys. One that does not answer is refused too
// unless the caller can do without: serving answers from batch until it is back.
func (rt *runtimeEnv) dialRedis(s *servers, required bool) (goredis.UniversalClient, error) {
	client, err := redis.Dial(s.redis)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "--redis: %w", err)
	}
	p, err := redis.CheckPolicy(rt.ctx, client)
	switch {
	case errors.Is(err, redis.ErrEvicts):
		_ = client.Close()
		return nil, api.Errorf(api.Invalid, "Redis at %s: %w", redis.Redact(s.redis), err)
	case err != nil && required:
		_ = client.Close()
		return nil, api.Errorf(api.Unavailable, "Redis at %s: %w", redis.Redact(s.redis), err)
	case err != nil:
		rt.log.Warn("Redis does not answer; serving without live state until it does", "error", err)
		return client, nil
	}
	if !p.Known && !s.local {
		rt.log.Warn("whether Redis may evict keys is unknown", "reason", p.Reason)
	}
	return client, nil
}
