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
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// DefaultGroup is the consumer group that shares the partitions among runners and shows their lag. It
// differs by definition, because runners of different ones must each have all partitions.
func DefaultGroup(c feature.Catalogue) string { return GroupOf(tile.Namespace(c)) }

// GroupOf is the DefaultGroup of a namespace's catalogue.
func GroupOf(namespace string) string { return "anabranch-live-" + namespace }

// Origin is where the state of a partition starts to be filled. Epochs ≥ Base are counted. Reading
// has to start one epoch earlier, because an event of epoch Base may repeat one of the epoch before:
// those records only teach the duplicate rule. So for a floor n ≥ 2 Offset is that of mark n−1 and
// Epoch is n−2; below, it is the start of the log and Epoch is 0 (see OriginOf).
type Origin struct {
	Offset int64 // of the first record to read
	Epoch  int64 // of the record before it
	Base   int64
}

// OriginOf returns the origin for a floor. before is the cut floor−1, which is needed for floors ≥ 2.
func OriginOf(floor int64, before model.Cut, partition int32) (Origin, error) {
	if floor < 2 {
		return Origin{Base: floor}, nil
	}
	offset, known := before[partition]
	if !known {
		return Origin{}, fmt.Errorf("live state of partition %d for floor %d: the cut %d does not name the partition", partition, floor, floor-1)
	}
	return Origin{Offset: offset, Epoch: floor - 2, Base: floor}, nil
}

// Config says what a runner works on. Fields marked optional have defaults.
type Config struct {
	Seeds      []string // Kafka's seed brokers
	Partitions int32    // of the events topic
	Redis      goredis.UniversalClient
	Catalogue  feature.Catalogue

	// Origin tells where a partition's state has to start (OriginOf makes the answer from the floor).
	// It is asked only when a fence is opened.
	Origin func(ctx context.Context, partition int32) (Origin, error)
	// OriginAt tells where a partition's state has to start when Kafka holds its records from offset on only, and so
	// lacks what Origin asks for, or what the state has not taken in yet. Serving is degraded until a generation's cut
	// covers the answer's base. Optional, and ok is false where nobody knows: then the partition halts.
	OriginAt func(ctx context.Context, partition int32, offset int64) (origin Origin, ok bool, err error)
	// Floor returns the least epoch that a retained generation still needs. It is polled and must
	// answer at once.
	Floor func() int64

	Clock      func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // optional: no metrics are exposed

	// Group is the consumer group; optional: DefaultGroup. Runners of one group share the partitions, so
	// all of a group must write into the same Redis: where two installations with a Redis each read one
	// Kafka by the same definition, give each a group of its own, or either would lack what the other has.
	Group string

	Topic            string        // optional: kafka.EventsTopic
	DeadLettersTopic string        // optional: kafka.DeadLettersTopic
	BatchRecords     int           // optional: 1,024, records of one commit at most
	BatchBytes       int           // optional: 1 MiB, of the records of one commit, about
	Linger           time.Duration // optional: 25 ms; a partition commits more often only where batches are full. Negative: none
	QueueBytes       int           // optional: 64 MiB, of records that wait for their partitions, about
	CacheBytes       int           // optional: 512 MiB, of encoded states, shared evenly by all partitions of the topic
	CheckEvery       time.Duration // optional: 5 s, how often idle fences and the floor are looked at
	KafkaOptions     []kgo.Opt     // optional: added to those of kafka.Dial
}

// The defaults of Config.QueueBytes and Config.CacheBytes.
const (
	defaultQueue = 64 << 20
	defaultCache = 512 << 20
)

// Memory is how many bytes a process should take in which so many runners keep to the defaults: the caches when they are
// full, what waits, and what a step works with. As a limit for Go's collector (debug.SetMemoryLimit) it keeps the heap from
// growing to twice of the caches; those have next to nothing for it to look at, so that it may well work more often.
func Memory(runners int) int64 {
	return 256<<20 + int64(runners)*(defaultCache+defaultQueue+64<<20)
}

func (c Config) withDefaults() (Config, error) {
	for _, required := range []struct {
		name    string
		present bool
	}{
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
	c.Group = orElse(c.Group, DefaultGroup(c.Catalogue))
	c.Topic = orElse(c.Topic, kafka.EventsTopic)
	c.DeadLettersTopic = orElse(c.DeadLettersTopic, kafka.DeadLettersTopic)
	c.BatchRecords = orElse(c.BatchRecords, 1024)
	c.BatchBytes = orElse(c.BatchBytes, 1<<20)
	c.Linger = orElse(c.Linger, 25*time.Millisecond)
	c.QueueBytes = orElse(c.QueueBytes, defaultQueue)
	c.CacheBytes = orElse(c.CacheBytes, defaultCache)
	c.CheckEvery = orElse(c.CheckEvery, 5*time.Second)
	if min(c.BatchRecords, c.BatchBytes, c.QueueBytes, c.CacheBytes) < 1 || c.CheckEvery < 0 {
		return c, errors.New("live runner: BatchRecords, BatchBytes, QueueBytes, CacheBytes and CheckEvery must be positive")
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
