package jobs

import "net"

type streamCmd struct {
	Keep    keepStreamCmd    `cmd:"" name:"run" default:"withargs" help:"Keep live features in Redis; what stream does without a subcommand."`
	Rebuild rebuildStreamCmd `cmd:"" help:"Fill live state anew from the floor, or delete what is left of old state."`
}

type keepStreamCmd struct {
	stores
	definitions
	Listen     string `default:"127.0.0.1:8082" help:"Address of /metrics and /healthz."`
	Partitions int32  `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// Run keeps live features in Redis until it is told to stop.
func (c *keepStreamCmd) Run(rt *runtimeEnv) error {
	features, err := c.catalogue()
	if err != nil {
		return err
	}
	open := func() (*parts, error) { return rt.open(&c.stores, c.Partitions, false) }
	return onParts(c.Listen, open, func(l net.Listener, p *parts) error {
		redis, err := rt.dialRedis(p.servers, true)
		if err != nil {
			return err
		}
		defer func() { _ = redis.Close() }()
		reg := newRegistry()
		runner, follow, err := rt.newLive(p, features, redis, reg)
		if err != nil {
			return err
		}
		rt.log.Info("streaming", "partitions", p.topics.Partitions)
		return runAll(rt.ctx, httpService(l, operations(reg, rt.log, nil), rt.log), follow,
			service{"stream", runner.run}, service{"sweep", rt.newSweeper(p, redis, runner).run})
	})
}
