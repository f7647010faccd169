//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// suite is what all rows share: servers of the suite's own.
type suite struct {
	kafka, redis, s3 *env.Server
	s3URL            string
	config           env.Config // for servers of a row's own
	full             bool       // outages last as long as the matrix says
}

// world is one row at one seed.
type world struct {
	*suite
	seed  uint64
	rng   *rand.Rand // of the row's own goroutine
	id    string
	dir   string
	stops []func() error // of servers and clients of the row's own, last first

	brokers    string // host:port of the log
	topic, dlq string
	topicID    string
	partitions int32
	catalogue  feature.Catalogue
	alsoCheck  []feature.Catalogue // more definitions that live state is kept by
	unique     string

	redisAddr string // of the processes; a proxy's perhaps
	redis     goredis.UniversalClient
	bucketURL string // of the processes
	bucket    *bucket.Bucket
	client    *kgo.Client // of the producers
	admin     *kadm.Client

	mu        sync.Mutex
	processes []*process
	groups    int
	others    []string // more topics of the row
	facts     []fact   // what producers know, by serial number
	acked     []place  // where records are, by their acknowledgement
	marks     int64
	labels    time.Time // before all labels of marks
	log       [][]entry // by partition, as far as it was read
}

// newWorld makes topics and clients of a row. Configs are those of the events topic.
func newWorld(ctx context.Context, s *suite, row int, seed uint64, dir string) (*world, error) {
	id := strings.ToLower(ulid.Make().String())
	w := &world{
		suite: s, seed: seed, rng: rand.New(rand.NewPCG(seed, uint64(row))), id: id, dir: dir,
		topic: fmt.Sprintf("events-%d-%s", row, id), dlq: fmt.Sprintf("dlq-%d-%s", row, id), partitions: 3, unique: id, brokers: s.kafka.Addr,
		labels:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		redisAddr: s.redis.Addr, bucketURL: strings.Replace(s.s3URL, "?", "/faults-"+id+"?", 1),
	}
	var err error
	if w.catalogue, err = catalogueOf(id); err != nil {
		return nil, err
	}
	if w.bucket, err = openBucket(ctx, w.bucketURL); err != nil {
		return nil, err
	}
	// A record of 2 MB has to get into the log somehow.
	w.client, err = kafka.Dial([]string{s.kafka.Addr}, nil, kafka.Local(), kgo.ProducerBatchMaxBytes(8<<20))
	if err != nil {
		return nil, err
	}
	w.admin = kadm.NewClient(w.client)
	w.useRedis(s.redis.Addr)
	return w, nil
}

// useRedis makes the row's own client, and names the address that processes dial.
func (w *world) useRedis(addr string) {
	// Without the product's own checks: rows set up servers that it refuses.
	w.redis = goredis.NewClient(&goredis.Options{Addr: addr})
	w.stops = append(w.stops, w.redis.Close)
	w.redisAddr = addr
}

// ownRedis starts a Redis that the row may break.
func (w *world) ownRedis(ctx context.Context, args ...string) (*env.Server, error) {
	s, err := env.StartRedisWith(ctx, w.config, args...)
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, s.Stop)
	w.useRedis(s.Addr)
	return s, nil
}

// createTopics makes the events topic and the one of dead letters.
func (w *world) createTopics(ctx context.Context, configs map[string]string) error {
	of := map[string]*string{}
	for k, v := range configs {
		of[k] = kadm.StringPtr(v)
	}
	for _, topic := range []string{w.topic, w.dlq} {
		n := w.partitions
		if topic == w.dlq {
			n = 1
		}
		if _, err := w.admin.CreateTopic(ctx, n, 1, of, topic); err != nil {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return w.awaitTopics(ctx)
}

// awaitTopics waits until the broker knows the topics, and notes the id.
func (w *world) awaitTopics(ctx context.Context) error {
	return await(ctx, "the topics exist", func() (bool, error) {
		details, err := w.admin.ListTopics(ctx, w.topic, w.dlq)
		if err != nil || details.Error() != nil || len(details[w.topic].Partitions) != int(w.partitions) {
			return false, nil //nolint:nilerror // asked again
		}
		w.topicID = kafka.HexID(details[w.topic].ID)
		return true, nil
	})
}

// close ends everything that is the row's own. What the shared servers hold of it is taken away.
func (w *world) close(ctx context.Context) error {
	for _, p := range w.processes {
		p.kill()
	}
	var errs []error
	if w.topicID != "" {
		if _, err := w.admin.DeleteTopics(ctx, append(w.others, w.topic, w.dlq)...); err != nil {
			errs = append(errs, fmt.Errorf("delete the row's topics: %w", err))
		}
	}
	w.client.Close()
	for i := len(w.stops) - 1; i >= 0; i-- {
		errs = append(errs, w.stops[i]())
	}
	return errors.Join(errs...)
}

// child returns the configuration of a process of the row. Every live process gets a consumer group of its own: a
// successor need not wait until the broker gives up its predecessor, and two that live at the same time meet.
func (w *world) child(role string) childConfig {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups++
	return childConfig{
		Role: role, Seeds: []string{w.brokers}, Topic: w.topic, DLQ: w.dlq, TopicID: w.topicID, Partitions: w.partitions,
		Redis: w.redisAddr, Bucket: w.bucketURL, Unique: w.unique, Group: w.topic + "-" + strconv.Itoa(w.groups),
		Batch: 64, Rows: 500, Patience: time.Minute,
	}
}

// start is spawn of a role as the row has it.
func (w *world) start(role string) (*process, error) { return w.spawn(w.child(role)) }

// pair starts a live process and an archiver.
func (w *world) pair() (l, a *process, err error) {
	if l, err = w.start(roleLive); err != nil {
		return nil, nil, err
	}
	a, err = w.start(roleArchive)
	return l, a, err
}

// mark writes the next mark into every partition.
func (w *world) mark(ctx context.Context) error {
	c, err := w.child(roleMark).closer(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.marks++
	label := w.labels.Add(time.Duration(w.marks) * time.Hour)
	w.mu.Unlock()
	if _, err := c.Write(ctx, label); err != nil {
		return fmt.Errorf("write mark %d: %w", w.marks, err)
	}
	return nil
}

// keys are those of a partition.
func (w *world) keys(c feature.Catalogue, p int32) redis.Keys {
	return redis.Keys{Partition: p, Namespace: namespaceOf(c)}
}

// logs returns the ends of the logs of all processes, for a row that is red.
func (w *world) logs() string {
	var b strings.Builder
	for _, p := range w.processes {
		how := "runs"
		if p.ended() {
			how = p.cmd.ProcessState.String()
		}
		text, err := os.ReadFile(p.log)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&b, "--- %s (%s)\n%s\n", filepath.Base(p.log), how, text[max(0, len(text)-3000):])
	}
	return b.String()
}
