package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/bucket/s3bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/infra/warehouse/bqwh"
	"github.com/anabranch/anabranch/infra/warehouse/parquetwh"
	"github.com/anabranch/anabranch/schemas/api"
)

// stores are the flags that say where the pipeline keeps its things. Each swaps an embedded part
// for a real one; the code behind is the same.
type stores struct {
	Data      string   `type:"path" default:"anabranch-data" help:"Folder of the embedded log, bucket and warehouse."`
	Kafka     []string `placeholder:"HOST:PORT" help:"Kafka seed brokers, instead of the embedded one."`
	Redis     string   `placeholder:"ADDRESS" help:"Redis instead of the embedded one: host:port, host:port,host:port (a cluster), redis[s]://user:password@host, redis[s]+cluster://host,host or redis[s]+sentinel://host,host/master."`
	Bucket    string   `placeholder:"URL" help:"s3://bucket/prefix?endpoint=…&region=… or file:///folder, instead of the folder in --data."`
	Warehouse string   `placeholder:"URL" help:"bigquery://project.dataset, instead of Parquet tables in the bucket."`
}

// openBucket opens the bucket that the flags name.
func (s *stores) openBucket(ctx context.Context) (*bucket.Bucket, error) {
	switch {
	case s.Bucket == "":
		return openFolder(filepath.Join(s.Data, "bucket"))
	case strings.HasPrefix(s.Bucket, "s3://"):
		opts, err := s3bucket.ParseURL(s.Bucket)
		if err != nil {
			return nil, api.Errorf(api.Invalid, "--bucket: %w", err)
		}
		return s3bucket.Open(ctx, opts)
	}
	u, err := url.Parse(s.Bucket)
	if err != nil || u.Scheme != "file" || u.Path == "" {
		return nil, api.Errorf(api.Invalid, "--bucket %s: s3://bucket/prefix or file:///folder is accepted", api.Clip(s.Bucket))
	}
	return openFolder(u.Path)
}

// openFolder opens a bucket in a folder; one that may not be written is the caller's to correct.
func openFolder(path string) (*bucket.Bucket, error) {
	b, err := filebucket.Open(path)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) {
		return nil, api.Errorf(api.Invalid, "%w", err)
	}
	return b, err
}

// openExistingBucket opens the bucket for a command that only looks: it makes no folder.
func (s *stores) openExistingBucket(ctx context.Context) (*bucket.Bucket, error) {
	if s.Bucket == "" {
		if _, err := os.Stat(filepath.Join(s.Data, "bucket")); errors.Is(err, fs.ErrNotExist) {
			return nil, api.Errorf(api.NotFound, "data folder %s holds no bucket: name the right one with --data or --bucket", s.Data)
		}
	}
	return s.openBucket(ctx)
}

// openWarehouse opens the warehouse that the flags name; the embedded one lies in b.
func (s *stores) openWarehouse(ctx context.Context, b *bucket.Bucket) (*warehouse.Warehouse, error) {
	if s.Warehouse == "" {
		return parquetwh.Open(b), nil
	}
	if !strings.HasPrefix(s.Warehouse, "bigquery://") {
		return nil, api.Errorf(api.Invalid, "--warehouse %s: bigquery://project.dataset is accepted", api.Clip(s.Warehouse))
	}
	opts, err := bqwh.ParseURL(s.Warehouse)
	if err != nil {
		return nil, api.Errorf(api.Invalid, "--warehouse: %w", err)
	}
	return bqwh.Open(ctx, opts)
}

// servers are the addresses of Kafka and Redis, and what to close after use. Standalone says that
// Kafka runs inside this process, so that no other process archives or streams from it.
type servers struct {
	seeds      []string
	redis      string
	standalone bool
	local      bool // the broker is on this machine: embedded, here or in the owner of --data
	dir        *dataDir
	closers    []func() error
}

// close stops what open started, last first.
func (s *servers) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// openServers finds Kafka and Redis: where the flags say; else with the process that owns the data
// folder; else, where the command may start them, embedded in this process.
func (rt *runtimeEnv) openServers(s *stores, n need) (_ *servers, err error) {
	out := &servers{seeds: s.Kafka, redis: s.Redis}
	if len(s.Kafka) > 0 && (s.Redis != "" || !n.redis) {
		return out, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.close())
		}
	}()
	if out.dir, err = openDataDir(s.Data); err != nil {
		return nil, err
	}
	out.closers = append(out.closers, out.dir.close)
	if !out.dir.owned() {
		return out, out.adopt()
	}
	if !n.start {
		return nil, nothingToWorkWith(s, n)
	}
	return out, out.start(rt, s, n)
}

func nothingToWorkWith(s *stores, n need) error {
	if !n.redis {
		return api.Errorf(api.Invalid, "no Kafka to work with: name it with --kafka, or start `anabranch dev --data %s`, which runs one", s.Data)
	}
	return api.Errorf(api.Invalid, "no Kafka and Redis to work with: name them with --kafka and --redis, or start `anabranch dev --data %s`, which runs both", s.Data)
}

// adopt uses the servers of the process that owns the data folder.
func (s *servers) adopt() error {
	found, err := s.dir.find()
	if err != nil {
		return err
	}
	if len(s.seeds) == 0 {
		s.seeds, s.local = []string{found.Kafka}, true
	}
	if s.redis == "" {
		s.redis = found.Redis
	}
	return nil
}

// start runs the missing servers in this process.
func (s *servers) start(rt *runtimeEnv, flags *stores, n need) error {
	if len(s.seeds) == 0 {
		k, err := kafka.StartEmbedded(kafka.EmbeddedConfig{Dir: filepath.Join(flags.Data, "kafka"), Logger: rt.log})
		if err != nil {
			return fmt.Errorf("start embedded Kafka: %w", err)
		}
		s.closers = append(s.closers, k.Close)
		s.seeds, s.standalone, s.local = []string{k.Addr()}, true, true
	}
	if s.redis == "" && n.redis {
		r, err := redis.StartEmbedded("")
		if err != nil {
			return fmt.Errorf("start embedded Redis: %w", err)
		}
		s.closers = append(s.closers, func() error { r.Close(); return nil })
		s.redis = r.Addr()
	}
	return nil
}

// clientOptions returns what every Kafka client of a command uses.
func (s *servers) clientOptions() []kgo.Opt {
	if s.local {
		return []kgo.Opt{kafka.Local()}
	}
	return nil
}

// ensureTopics dials Kafka and creates the topics that are missing.
func (rt *runtimeEnv) ensureTopics(s *servers, partitions int32) (*kgo.Client, kafka.Topics, error) {
	client, err := kafka.Dial(s.seeds, rt.log, s.clientOptions()...)
	if err != nil {
		return nil, kafka.Topics{}, api.Errorf(api.Invalid, "dial Kafka at %v: %w", s.seeds, err)
	}
	ctx, cancel := context.WithTimeout(rt.ctx, 15*time.Second)
	defer cancel()
	topics, err := kafka.EnsureTopics(ctx, client, kafka.Spec{Partitions: partitions})
	if err != nil {
		client.Close()
		if errors.Is(err, kafka.ErrTopicMismatch) {
			return nil, kafka.Topics{}, api.Errorf(api.Invalid, "%w", err)
		}
		return nil, kafka.Topics{}, api.Errorf(api.Unavailable, "reach Kafka at %v: %w", s.seeds, err)
	}
	return client, topics, nil
}
