package jobs

import (
	"net"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
)

type serveCmd struct {
	stores
	definitions
	Listen     string `default:"127.0.0.1:8080" help:"Address to answer on."`
	Partitions int32  `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// Run answers requests until it is told to stop. It starts without Kafka and without Redis, because a
// recommendation from batch alone is better than none.
func (c *serveCmd) Run(rt *runtimeEnv) error {
	features, err := c.catalogue()
	if err != nil {
		return err
	}
	open := func() (*parts, error) {
		p, err := rt.open(&c.stores, c.Partitions, false)
		if api.CodeOf(err) != api.Unavailable {
			return p, err
		}
		rt.log.Warn("Kafka does not answer; serving without its catalogue until it does", "error", err)
		return rt.openStores(&c.stores, need{redis: true})
	}
	return onParts(c.Listen, open, func(l net.Listener, p *parts) error { return c.serve(rt, l, p, features) })
}

func (c *serveCmd) serve(rt *runtimeEnv, l net.Listener, p *parts, features feature.Catalogue) error {
	live, err := rt.dialRedis(p.servers, false)
	if err != nil {
		return err
	}
	defer func() { _ = live.Close() }()
	reg := newRegistry()
	o, err := rt.newOnline(p.servers, p.bucket, p.topics, features, live, reg)
	if err != nil {
		return err
	}
	if err := o.Refresh(rt.ctx); err != nil {
		rt.log.Warn("no generation to serve yet", "error", err)
	}
	handler, err := rt.newHandler(o, reg, nil, nil)
	if err != nil {
		return err
	}
	rt.log.Info("serving", "address", l.Addr().String())
	return runAll(rt.ctx, httpService(l, handler, rt.log), service{"serving", o.Run})
}
