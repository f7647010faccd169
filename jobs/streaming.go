package jobs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/ingest"
	"github.com/anabranch/anabranch/stream/live"
)

// newLive returns the stream layer's runners, whose consumers have the given options beside the common ones, and the
// service that follows the floor for them.
func (rt *runtimeEnv) newLive(
	p *parts, features feature.Catalogue, redis goredis.UniversalClient, reg *prometheus.Registry, consumer ...kgo.Opt,
) (*liveSet, service, error) {
	f, err := newFloor(rt.ctx, p.bucket)
	if err != nil {
		return nil, service{}, err
	}
	start := func(c feature.Catalogue, own prometheus.Registerer) (*live.Runner, error) {
		return live.New(live.Config{
			Seeds: p.seeds, Partitions: p.topics.Partitions, Redis: redis, Catalogue: c,
			Origin: f.origin, OriginAt: f.originAt, Floor: f.least, Clock: rt.now, Logger: rt.log, Registerer: own,
			KafkaOptions: slices.Concat(p.clientOptions(), consumer, []kgo.Opt{
				kgo.SessionTimeout(streamSession), kgo.HeartbeatInterval(streamSession / 6), kafka.Metrics(own, "live"),
			}),
		})
	}
	s := &liveSet{
		rt: rt, parts: p, configured: features, start: start, reg: reg,
		running: map[string]*liveRun{}, failed: make(chan error, 1),
	}
	return s, service{"floor", f.run}, nil
}

// streamSession is after how much silence another process takes over a stream's partitions; for as long
// live state stands still when one is killed. It is the least that brokers accept by default: to take
// over from one that still lives does no harm, because the fence lets only one of them write.
const streamSession = 6 * time.Second

// newArchiver returns the archiver of the parts' log and bucket; its counts are registered in reg.
func (rt *runtimeEnv) newArchiver(p *parts, reg prometheus.Registerer) (*archive.Archiver, error) {
	a, err := archive.New(archive.Config{
		Bucket: p.bucket, Seeds: p.seeds, Topics: p.topics, Client: append(p.clientOptions(), kafka.Metrics(reg, "archive")),
		Now: rt.now, Logger: rt.log,
	})
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name, help string
		read       func(archive.Stats) int64
	}{
		{"rows_total", "Records written to the archive, marks excepted.", func(s archive.Stats) int64 { return s.Rows }},
		{"rejected_total", "Of those, records that are no valid events.", func(s archive.Stats) int64 { return s.Rejected }},
		{"files_total", "Files written.", func(s archive.Stats) int64 { return s.Files }},
		{"bytes_total", "Bytes of files written.", func(s archive.Stats) int64 { return s.Bytes }},
		{"marks_total", "Epochs that ended, once a partition.", func(s archive.Stats) int64 { return s.Marks }},
	} {
		counter := prometheus.NewCounterFunc(
			prometheus.CounterOpts{Namespace: "anabranch", Subsystem: "archive", Name: c.name, Help: c.help},
			func() float64 { return float64(c.read(a.Stats())) })
		if err := reg.Register(counter); err != nil {
			return nil, fmt.Errorf("archive metrics: %w", err)
		}
	}
	return a, nil
}

// newIngest returns the front door and the service that keeps its catalog.
func (rt *runtimeEnv) newIngest(p *parts, reg prometheus.Registerer) (http.Handler, *ingest.Catalog, service, error) {
	catalog := ingest.NewCatalog()
	client, err := kafka.Dial(p.seeds, rt.log, append(p.clientOptions(), kafka.Metrics(reg, "ingest"))...)
	if err != nil {
		return nil, nil, service{}, err
	}
	p.closers = append(p.closers, func() error { client.Close(); return nil })
	h, err := ingest.New(ingest.Config{
		Client: client, Catalog: catalog, Partitions: p.topics.Partitions, Clock: rt.now, Logger: rt.log, Registerer: reg,
	})
	if err != nil {
		return nil, nil, service{}, err
	}
	mux := http.NewServeMux()
	h.Mount(mux)
	follow := again(rt.log, "ingest catalog", func(ctx context.Context) error {
		return catalog.Follow(ctx, p.seeds, rt.log, "items", append(p.clientOptions(), kafka.Metrics(reg, "catalog"))...)
	})
	return mux, catalog, follow, nil
}

// operations serves metrics and health of a process that has no API of its own, and what it takes in
// where it has a front door (intake, or nil).
func operations(reg *prometheus.Registry, log *slog.Logger, intake http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", healthy)
	if intake != nil {
		for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
			mux.Handle("POST "+path, intake)
		}
	}
	return problem.Handler(log, mux, "")
}

// healthy answers as GET /healthz of the API does: the process is up.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{\"ok\":true}\n") // the client may be gone
}
