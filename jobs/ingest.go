package jobs

import "net"

type ingestCmd struct {
	stores
	Listen     string `default:"127.0.0.1:8081" help:"Address to take events on."`
	Partitions int32  `default:"4" help:"Partitions of a new events topic; fixed for good."`
}

// Run takes events over HTTP until it is told to stop.
func (c *ingestCmd) Run(rt *runtimeEnv) error {
	open := func() (*parts, error) { return rt.openLog(&c.stores, c.Partitions, false) }
	return onParts(c.Listen, open, func(l net.Listener, p *parts) error {
		reg := newRegistry()
		h, _, follow, err := rt.newIngest(p, reg)
		if err != nil {
			return err
		}
		rt.log.Info("taking events", "address", l.Addr().String())
		return runAll(rt.ctx, httpService(l, operations(reg, rt.log, h), rt.log), follow)
	})
}
