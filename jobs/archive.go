package jobs

import "net"

type archiveCmd struct {
	stores
	Listen     string `default:"127.0.0.1:8083" help:"Address of /metrics and /healthz."`
	Partitions int32  `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// Run archives the log until it is told to stop.
func (c *archiveCmd) Run(rt *runtimeEnv) error {
	open := func() (*parts, error) { return rt.openLog(&c.stores, c.Partitions, false) }
	return onParts(c.Listen, open, func(l net.Listener, p *parts) error {
		reg := newRegistry()
		a, err := rt.newArchiver(p, reg)
		if err != nil {
			return err
		}
		rt.log.Info("archiving", "partitions", p.topics.Partitions)
		return runAll(rt.ctx, httpService(l, operations(reg, rt.log, nil), rt.log), service{"archive", a.Run})
	})
}
