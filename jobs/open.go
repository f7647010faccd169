package jobs

import (
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/warehouse"
	"github.com/anabranch/anabranch/schemas/api"
)

// parts is what most commands work with.
type parts struct {
	*servers
	client    *kgo.Client
	topics    kafka.Topics
	bucket    *bucket.Bucket
	warehouse *warehouse.Warehouse
}

// need says which servers a command cannot do without, and whether it may run them itself.
type need struct{ redis, start bool }

// open opens bucket and warehouse, finds or starts Kafka and Redis, and ensures the topics.
func (rt *runtimeEnv) open(flags *stores, partitions int32, mayStart bool) (*parts, error) {
	return rt.openParts(flags, partitions, need{redis: true, start: mayStart})
}

// openLog is open for commands that have no business with Redis.
func (rt *runtimeEnv) openLog(flags *stores, partitions int32, mayStart bool) (*parts, error) {
	return rt.openParts(flags, partitions, need{start: mayStart})
}

func (rt *runtimeEnv) openParts(flags *stores, partitions int32, n need) (*parts, error) {
	p, err := rt.openStores(flags, n)
	if err != nil {
		return nil, err
	}
	if p.client, p.topics, err = rt.ensureTopics(p.servers, partitions); err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.closers = append(p.closers, func() error { p.client.Close(); return nil })
	switch err := pinPartitions(rt.ctx, p.bucket, p.topics, rt.now()); {
	case api.CodeOf(err) == api.Invalid:
		return nil, errors.Join(err, p.close())
	case err != nil: // the bucket is away: who cannot do without it will say so
		rt.log.Warn("the number of partitions is not compared with what it was", "error", err)
	}
	return p, nil
}

// openStores is openParts without a word to Kafka, for who can do without: the parts have neither
// client nor topics.
func (rt *runtimeEnv) openStores(flags *stores, n need) (_ *parts, err error) {
	p := &parts{servers: &servers{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.servers, err = rt.openServers(flags, n); err != nil {
		p.servers = &servers{}
		return nil, err
	}
	if p.bucket, err = flags.openBucket(rt.ctx); err != nil {
		return nil, err
	}
	if p.warehouse, err = flags.openWarehouse(rt.ctx, p.bucket); err != nil {
		return nil, err
	}
	return p, nil
}

// closeInto closes the parts and adds what fails to the caller's error.
func (p *parts) closeInto(err *error) { *err = errors.Join(*err, p.close()) }

// onParts listens, opens the parts of a service, and hands both to run. Listening comes first, so that
// an occupied port is told before anything is started.
func onParts(address string, open func() (*parts, error), run func(net.Listener, *parts) error) (err error) {
	l, err := listen(address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // the HTTP service closes it first; this is for errors before
	p, err := open()
	if err != nil {
		return err
	}
	defer p.closeInto(&err)
	return run(l, p)
}

// newRegistry returns a metrics registry with those of process and runtime.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
