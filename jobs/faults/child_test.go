//go:build integration

package faults

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/bucket/s3bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/jobs"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/live"
	"github.com/anabranch/anabranch/stream/mark"
)

// childVar makes the test binary one process of the pipeline: its value is a childConfig.
const childVar = "ANABRANCH_FAULTS_CHILD"

// What a process does.
const (
	roleLive    = "live"
	roleArchive = "archive"
	roleMark    = "mark"    // writes the mark of Label and ends
	roleProduct = "product" // jobs.Main with the process's arguments
)

// childConfig is everything that a process knows.
type childConfig struct {
	Role       string
	Seeds      []string
	Topic, DLQ string
	TopicID    string
	Partitions int32
	Redis      string
	Bucket     string
	Unique     string // see catalogueOf
	Group      string
	Label      time.Time

	Crash   string // the crash point, "" for none
	CrashAt int    // at which passage, from 1

	Batch    int           // records of a commit
	Rows     int           // of an archive file
	Patience time.Duration // of the archiver
	Session  time.Duration // of the consumer group; 0: the broker's least
	Skew     time.Duration // by how much the process's clock is ahead
	FileMax  uint64        // the largest file that the process may write, in bytes; 0: any
}

// handlesSignals is what a child logs when SIGTERM no longer kills it.
const handlesSignals = "process handles signals"

// childMain is main of such a process.
func childMain(raw string) int {
	var c childConfig
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if c.Role == roleProduct {
		return jobs.Main(jobs.Env{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log.Info(handlesSignals, "role", c.Role)
	redis.LogTo(log)
	work := map[string]func(context.Context, *slog.Logger) error{
		roleLive: c.live, roleArchive: c.archive, roleMark: c.mark,
	}[c.Role]
	if err := work(ctx, log); err != nil && !errors.Is(err, context.Canceled) { // told to end while it started
		log.Error("process ends", "role", c.Role, "error", err)
		return jobs.ExitCode(err)
	}
	log.Info("process ends in order", "role", c.Role)
	return 0
}

// catalogueOf is the default catalogue with a feature that nobody reads: it gives a row its own namespace.
func catalogueOf(unique string) (feature.Catalogue, error) {
	c, err := feature.Default()
	if err != nil {
		return c, err
	}
	c.Features = append(c.Features, feature.Definition{Name: "x" + unique, Entity: feature.User, Aggregate: feature.Count, Window: feature.Hour})
	return c, nil
}

func (c childConfig) now() time.Time { return time.Now().Add(c.Skew) }

func (c childConfig) live(ctx context.Context, log *slog.Logger) error {
	features, err := catalogueOf(c.Unique)
	if err != nil {
		return err
	}
	client, err := redis.Dial(c.Redis)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := redis.CheckPolicy(ctx, client); err != nil {
		return err
	}
	crash := newCrash(c.Crash, c.CrashAt)
	client.AddHook(redisCrashes{crash})
	session := c.Session
	if session == 0 {
		session = 6 * time.Second
	}
	r, err := live.New(live.Config{
		Seeds: c.Seeds, Partitions: c.Partitions, Redis: client, Catalogue: features,
		Origin: func(_ context.Context, p int32) (live.Origin, error) { return live.OriginOf(0, nil, p) },
		Floor:  func() int64 { return 0 },
		Clock:  c.now, Logger: log, Group: c.Group, Topic: c.Topic, DeadLettersTopic: c.DLQ,
		BatchRecords: c.Batch, CheckEvery: 200 * time.Millisecond,
		KafkaOptions: []kgo.Opt{
			kafka.Local(), kgo.SessionTimeout(session), kgo.HeartbeatInterval(session / 10),
			kgo.WithHooks(kafkaCrashes{crash, c.DLQ}), kgo.ProducerBatchMaxBytes(1 << 20),
		},
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

func (c childConfig) topics() (kafka.Topics, error) {
	id, err := hex.DecodeString(c.TopicID)
	if err != nil || len(id) != 16 {
		return kafka.Topics{}, fmt.Errorf("topic id %q: %w", c.TopicID, err)
	}
	return kafka.Topics{EventsID: [16]byte(id), Partitions: c.Partitions}, nil
}

func (c childConfig) archive(ctx context.Context, log *slog.Logger) error {
	b, err := openBucket(ctx, c.Bucket)
	if err != nil {
		return err
	}
	topics, err := c.topics()
	if err != nil {
		return err
	}
	if c.FileMax > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: c.FileMax, Max: c.FileMax}); err != nil {
			return fmt.Errorf("limit files to %d bytes: %w", c.FileMax, err)
		}
		signal.Ignore(syscall.SIGXFSZ)
	}
	a, err := archive.New(archive.Config{
		Bucket: bucketCrashes(b, newCrash(c.Crash, c.CrashAt)), Seeds: c.Seeds, Topics: topics, Topic: c.Topic,
		Client: []kgo.Opt{kafka.Local()}, Limits: archive.Limits{Rows: c.Rows, Age: 300 * time.Millisecond},
		Patience: c.Patience, Now: c.now, Logger: log,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func (c childConfig) mark(ctx context.Context, log *slog.Logger) error {
	closer, err := c.closer(ctx, log, kgo.WithHooks(kafkaCrashes{newCrash(c.Crash, c.CrashAt), c.Topic}))
	if err != nil {
		return err
	}
	_, err = closer.Write(ctx, c.Label)
	return err
}

// closer returns what writes marks.
func (c childConfig) closer(ctx context.Context, log *slog.Logger, opts ...kgo.Opt) (mark.Closer, error) {
	b, err := openBucket(ctx, c.Bucket)
	if err != nil {
		return mark.Closer{}, err
	}
	topics, err := c.topics()
	if err != nil {
		return mark.Closer{}, err
	}
	return mark.Closer{
		Bucket: b, Seeds: c.Seeds, Topics: topics, Topic: c.Topic, Client: append(opts, kafka.Local()),
		Poll: 20 * time.Millisecond, Logger: log,
	}, nil
}

// openBucket opens s3://… or a folder.
func openBucket(ctx context.Context, location string) (*bucket.Bucket, error) {
	if len(location) > 5 && location[:5] == "s3://" {
		opts, err := s3bucket.ParseURL(location)
		if err != nil {
			return nil, err
		}
		return s3bucket.Open(ctx, opts)
	}
	return filebucket.Open(location)
}

// indexOf returns the index of an epoch, and whether there is one.
func indexOf(ctx context.Context, b *bucket.Bucket, epoch int64) (model.Index, bool, error) {
	var x model.Index
	_, err := b.GetJSON(ctx, model.IndexKey(epoch), &x)
	if errors.Is(err, bucket.ErrNotExist) {
		return x, false, nil
	}
	return x, err == nil, err
}
