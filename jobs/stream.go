package jobs

import (
	"net"

	"github.com/twmb/franz-go/pkg/kgo"
)

type streamCmd struct {
	Keep    keepStreamCmd    `cmd:"" name:"run" default:"withargs" help:"Keep live features in Redis; what stream does without a subcommand."`
	Rebuild rebuildStreamCmd `cmd:"" help:"Fill live state anew from the floor, or delete what is left of old state."`
}

type keepStreamCmd struct {
	stores
	definitions
	groupFlags
	Listen     string `default:"127.0.0.1:8082" help:"Address of /metrics and /healthz."`
	Partitions int32  `default:"0" help:"Partitions of the events topic; 0 takes what exists."`
}

// groupFlags say how a stream process shares the partitions with others.
type groupFlags struct {
	GroupProtocol string `enum:"classic,consumer" default:"classic" group:"Kafka consumer group:" help:"classic, or consumer: that of KIP-848, for Kafka 4.3 and later, in which the broker shares out the partitions; before Kafka 4.0 it means classic. With consumer the broker says for how long a silent process keeps its partitions (group.consumer.session.timeout.ms, 45 s by default); with classic that is 6 s. Processes may be restarted from one to the other one by one."`
	GroupInstance string `placeholder:"NAME" group:"Kafka consumer group:" help:"Name of this process in the group (group.instance.id), such as its pod's of a StatefulSet: the same after a restart, and no other's. With classic, a process that was killed and starts again by its name has its partitions back at once, not when the broker has missed it. But one that is stopped for good is missed as long, too."`
}

// options returns the flags as options of a consumer.
func (g *groupFlags) options() []kgo.Opt {
	var opts []kgo.Opt
	if g.GroupProtocol == "consumer" {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	if g.GroupInstance != "" {
		opts = append(opts, kgo.InstanceID(g.GroupInstance))
	}
	return opts
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
		runner, follow, err := rt.newLive(p, features, redis, reg, c.groupFlags.options()...)
		if err != nil {
			return err
		}
		runner.bound = boundHeap
		rt.log.Info("streaming", "partitions", p.topics.Partitions)
		return runAll(rt.ctx, httpService(l, operations(reg, rt.log, nil), rt.log), follow,
			service{"stream", runner.run}, service{"sweep", rt.newSweeper(p, redis, runner).run})
	})
}
