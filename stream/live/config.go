package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/feature"
)

// DefaultGroup is the consumer group that shares the partitions among runners and shows their lag.
const DefaultGroup = "anabranch-live"

// Origin is where a namespace of a partition starts to be filled: the offset of the floor's mark and
// the epoch that this mark begins; {0, 0} while there is no mark.
type Origin struct {
	Offset int64
	Base   int64
}

// Config says what a runner works on. Fields marked optional have defaults.
type Config struct {
	Seeds      []string // Kafka's seed brokers
	Partitions int32    // of the events topic
	Redis      goredis.UniversalClient
	Catalogue  feature.Catalogue

	// Origin tells where a partition's state has to start. It is asked only when a fence is opened.
	Origin func(ctx context.Context, partition int32) (Origin, error)
	// Floor returns the least epoch that a retained generation still needs. It is polled and must
	// answer at once.
	Floor func() int64

	Clock      func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional: no metrics are exposed

	Group            string        // optional: DefaultGroup
	Topic            string        // optional: kafka.EventsTopic
	DeadLettersTopic string        // optional: kafka.DeadLettersTopic
	BatchRecords     int           // optional: 512, records of one commit at most
	CacheEntries     int           // optional: 50,000 states a partition
	CheckEvery       time.Duration // optional: 5 s, how often idle fences and the floor are looked at
	KafkaOptions     []kgo.Opt     // optional: added to those of kafka.Dial
}

func (c Config) withDefaults() (Config, error) {
	for _, required := range []struct {
		name    string
		present bool
	}{
		{"Seeds", len(c.Seeds) > 0},
		{"Partitions", c.Partitions > 0},
		{"Redis", c.Redis != nil},
		{"Catalogue", len(c.Catalogue.Features) > 0},
		{"Origin", c.Origin != nil},
		{"Floor", c.Floor != nil},
		{"Clock", c.Clock != nil},
		{"Logger", c.Logger != nil},
	} {
		if !required.present {
			return c, fmt.Errorf("live runner: Config.%s is required", required.name)
		}
	}
	c.Group = orElse(c.Group, DefaultGroup)
	c.Topic = orElse(c.Topic, kafka.EventsTopic)
	c.DeadLettersTopic = orElse(c.DeadLettersTopic, kafka.DeadLettersTopic)
	c.BatchRecords = orElse(c.BatchRecords, 512)
	c.CacheEntries = orElse(c.CacheEntries, 50_000)
	c.CheckEvery = orElse(c.CheckEvery, 5*time.Second)
	if c.BatchRecords < 1 || c.CacheEntries < 1 || c.CheckEvery < 0 {
		return c, errors.New("live runner: BatchRecords, CacheEntries and CheckEvery must be positive")
	}
	return c, nil
}

func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
