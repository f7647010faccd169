package online

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/serving/recommend"
)

// Config says what a Service answers from.
type Config struct {
	Bucket   *bucket.Bucket    // required
	Cache    string            // folder for copies of what is served, where the bucket is no folder; "": made anew by each start
	Features feature.Catalogue // required: answers before the first generation; each generation has its own

	Redis      goredis.UniversalClient // nil: no live state
	Partitions int32                   // of the events topic; 0: those of the generation's cut

	// KafkaSeeds are the brokers of the items and users topics, which must exist. None: the catalogue is
	// the generation's snapshot. Two clients are dialled with KafkaOptions, so these hold no metrics hook.
	KafkaSeeds   []string
	KafkaOptions []kgo.Opt

	Poll        time.Duration         // between two looks at the pointer and the catalogue; 0: 1 s
	Trending    time.Duration         // between two refreshes of the trending lists; 0: 1 s
	LiveTimeout time.Duration         // for one read of live state; 0: 200 ms
	Tuning      recommend.Tuning      // zero: recommend.DefaultTuning
	Now         func() time.Time      // nil: time.Now
	Logger      *slog.Logger          // nil discards
	Registerer  prometheus.Registerer // nil: no metrics are exposed
}

// Service answers questions. It answers from the moment it is made; Run keeps it up to date. Its
// methods are safe for use by many goroutines.
type Service struct {
	catalog     *catalog
	generations *generations
	live        *live
	trending    *trending
	metrics     *metrics
	now         func() time.Time
	started     time.Time
}

// New returns a service that has not looked at anything yet: call Run, and Refresh before the first
// request where it must not be answered without a generation.
func New(c Config) (*Service, error) {
	if c.Bucket == nil || len(c.Features.Features) == 0 {
		return nil, errors.New("serving: a bucket and a catalogue of features are required")
	}
	c.defaults()
	p, err := compile(c.Features)
	if err != nil {
		return nil, err
	}
	first, err := none(p, c.Tuning)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Service{metrics: m, now: c.Now, started: c.Now()}
	s.catalog = newCatalog(c.KafkaSeeds, c.KafkaOptions, c.Logger)
	s.generations = &generations{
		bucket: c.Bucket, cache: c.Cache, plans: p, catalog: s.catalog, tuning: c.Tuning, poll: c.Poll, now: c.Now, log: c.Logger, metrics: m,
	}
	s.generations.current.Store(first)
	s.live = &live{
		client: c.Redis, partitions: c.Partitions, timeout: c.LiveTimeout, log: c.Logger, metrics: m,
		incarnations: map[incarnationOf]string{},
	}
	s.trending = &trending{live: s.live, every: c.Trending, now: c.Now}
	return s, nil
}

func (c *Config) defaults() {
	positive := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	positive(&c.Poll, time.Second)
	positive(&c.Trending, time.Second)
	positive(&c.LiveTimeout, 200*time.Millisecond)
	if c.Tuning == (recommend.Tuning{}) {
		c.Tuning = recommend.DefaultTuning()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Run follows pointer, catalogue and trending until ctx ends, which is no error.
func (s *Service) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { s.generations.run(ctx) })
	all.Go(func() { s.catalog.run(ctx) })
	all.Go(func() { s.trending.run(ctx, s.generations.current.Load) })
	all.Wait()
	return nil
}

// Refresh looks at the pointer and the catalogue now, and returns when the generation that the pointer
// names is served. An error says why it is not; the one before stays.
func (s *Service) Refresh(ctx context.Context) error {
	err := s.generations.refresh(ctx, true)
	s.generations.report(err)
	return err
}

// Generation describes the generation that is served, nil before the first one.
func (s *Service) Generation() *GenerationInfo { return s.generations.current.Load().info() }
