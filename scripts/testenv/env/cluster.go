package env

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// clusterNodes is the least number of masters that can vote a failed one out.
	clusterNodes = 3
	clusterSlots = 16384
)

// RedisCluster is a running cluster of three masters, without replicas but for those that are added.
type RedisCluster struct {
	Nodes    []*Server // the server i holds the i-th third of the slots
	Replicas []*Server // in the order in which they were added
	Addr     string    // host:port of the Nodes, separated by commas
}

// StartRedisCluster starts three nodes, gives each a third of the slots, and returns when all of them say
// that the cluster works.
func StartRedisCluster(ctx context.Context, cfg Config) (*RedisCluster, error) {
	c := &RedisCluster{}
	err := c.start(ctx, cfg)
	if err == nil {
		err = c.join(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func startCluster(ctx context.Context, cfg Config, _ string) ([]*Server, error) {
	c, err := StartRedisCluster(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return c.Nodes, nil
}

// start starts the nodes, which do not know each other yet.
func (c *RedisCluster) start(ctx context.Context, cfg Config) error {
	var addrs []string
	for i := range clusterNodes {
		s, err := newClusterNode(ctx, cfg, fmt.Sprintf("redis-cluster-%d", i+1))
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, s)
		if err := s.Start(ctx); err != nil {
			return err
		}
		addrs = append(addrs, s.Addr)
	}
	c.Addr = strings.Join(addrs, ",")
	c.Nodes[0].Env = []string{RedisClusterVar + "=" + c.Addr}
	return c.meet(ctx)
}

// newClusterNode prepares a node that knows no other.
func newClusterNode(ctx context.Context, cfg Config, name string) (*Server, error) {
	s, err := newRedis(ctx, cfg, name)
	if err != nil {
		return nil, err
	}
	// By default the bus has the port 10,000 above, which may be taken.
	s.spec.args = append(s.spec.args,
		"--cluster-enabled", "yes", "--cluster-port", s.ports[1].String(), "--cluster-node-timeout", "2000")
	return s, nil
}

// meet gives each node its slots and lets the others know the first one.
func (c *RedisCluster) meet(ctx context.Context) error {
	for i, node := range c.Nodes {
		first, last := i*clusterSlots/clusterNodes, (i+1)*clusterSlots/clusterNodes-1
		err := onNode(node, func(client *goredis.Client) error {
			commands := [][]any{
				{"CLUSTER", "ADDSLOTSRANGE", first, last},
				{"CLUSTER", "SET-CONFIG-EPOCH", i + 1},
			}
			if i > 0 {
				commands = append(commands, c.greeting())
			}
			return do(ctx, client, commands...)
		})
		if err != nil {
			return fmt.Errorf("put %s into the cluster: %w", node.Name, err)
		}
	}
	return nil
}

// greeting is the command that lets a node know the first one, and so all.
func (c *RedisCluster) greeting() []any {
	first := c.Nodes[0]
	return []any{"CLUSTER", "MEET", "127.0.0.1", first.ports[0].number, first.ports[1].number}
}

// join waits until every node knows all the others and says that all slots are served. From then on that is
// also what a node that starts again has to say.
func (c *RedisCluster) join(ctx context.Context) error {
	for _, node := range c.Nodes {
		node.probe = c.knowsAll(node)
	}
	for _, node := range c.Nodes {
		if err := node.proc.waitReady(ctx, startTimeout, node.probe); err != nil {
			return err
		}
	}
	return nil
}

// knowsAll is the probe that a node knows all others and says that every slot is served.
func (c *RedisCluster) knowsAll(node *Server) func(context.Context) error {
	return func(ctx context.Context) error {
		return errors.Join(
			askRedis(ctx, node.Addr, "CLUSTER INFO", "cluster_state:ok"),
			askRedis(ctx, node.Addr, "CLUSTER INFO", "cluster_known_nodes:"+strconv.Itoa(len(c.Nodes)+len(c.Replicas))),
			askRedis(ctx, node.Addr, "CLUSTER INFO", "cluster_slots_assigned:"+strconv.Itoa(clusterSlots)))
	}
}

// Stop stops all nodes and removes their folders.
func (c *RedisCluster) Stop() error {
	return (&Set{servers: slices.Concat(c.Nodes, c.Replicas)}).Stop()
}

// MoveSlot moves a slot and its keys to the node Nodes[to], as an operator does while clients write. After
// about half of the keys, halfway is called if it is not nil: clients are then sent to and fro (ASK,
// TRYAGAIN). Its error ends the move in the middle.
func (c *RedisCluster) MoveSlot(ctx context.Context, slot, to int, halfway func() error) error {
	from, err := c.owner(ctx, slot)
	if err != nil || from == to {
		return err
	}
	source, target := client(c.Nodes[from]), client(c.Nodes[to])
	defer func() { _, _ = source.Close(), target.Close() }()
	m := move{slot: slot, source: source, target: target, address: c.Nodes[to].Addr}
	if m.sourceID, err = source.Do(ctx, "CLUSTER", "MYID").Text(); err != nil {
		return fmt.Errorf("move slot %d: %w", slot, err)
	}
	if m.targetID, err = target.Do(ctx, "CLUSTER", "MYID").Text(); err != nil {
		return fmt.Errorf("move slot %d: %w", slot, err)
	}
	if err := m.run(ctx, halfway); err != nil {
		return fmt.Errorf("move slot %d to %s: %w", slot, c.Nodes[to].Name, err)
	}
	return nil
}

// owner returns the index of the node that serves a slot, by the first node's word.
func (c *RedisCluster) owner(ctx context.Context, slot int) (int, error) {
	first := client(c.Nodes[0])
	defer first.Close()
	shards, err := first.ClusterShards(ctx).Result()
	if err != nil {
		return 0, fmt.Errorf("ask who serves slot %d: %w", slot, err)
	}
	for _, shard := range shards {
		for _, r := range shard.Slots {
			if int64(slot) < r.Start || r.End < int64(slot) {
				continue
			}
			return slices.IndexFunc(c.Nodes, func(s *Server) bool { return int64(s.ports[0].number) == shard.Nodes[0].Port }), nil
		}
	}
	return 0, fmt.Errorf("nobody serves slot %d", slot)
}

// move is one slot on its way.
type move struct {
	slot               int
	source, target     *goredis.Client
	sourceID, targetID string
	address            string // of the target
}

func (m move) run(ctx context.Context, halfway func() error) error {
	if err := do(ctx, m.target, []any{"CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.sourceID}); err != nil {
		return err
	}
	if err := do(ctx, m.source, []any{"CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.targetID}); err != nil {
		return err
	}
	keys, err := m.source.ClusterCountKeysInSlot(ctx, m.slot).Result()
	if err != nil {
		return fmt.Errorf("count its keys: %w", err)
	}
	if err := m.keys(ctx, int(keys)/2); err != nil {
		return err
	}
	if halfway != nil {
		if err := halfway(); err != nil {
			return err
		}
	}
	for keys = 1; keys > 0; {
		if err := m.keys(ctx, clusterSlots); err != nil {
			return err
		}
		if keys, err = m.source.ClusterCountKeysInSlot(ctx, m.slot).Result(); err != nil {
			return fmt.Errorf("count its keys: %w", err)
		}
	}
	settle := []any{"CLUSTER", "SETSLOT", m.slot, "NODE", m.targetID}
	return errors.Join(do(ctx, m.target, settle), do(ctx, m.source, settle))
}

// keys moves up to n keys.
func (m move) keys(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	names, err := m.source.ClusterGetKeysInSlot(ctx, m.slot, n).Result()
	if err != nil {
		return fmt.Errorf("list its keys: %w", err)
	}
	host, port, err := net.SplitHostPort(m.address)
	if err != nil {
		return fmt.Errorf("read the target's address: %w", err)
	}
	for _, name := range names {
		// The key is not in the error: it may hold a user's id.
		if err := m.source.Migrate(ctx, host, port, name, 0, 5*time.Second).Err(); err != nil {
			return fmt.Errorf("move a key: %w", err)
		}
	}
	return nil
}

func client(node *Server) *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: node.Addr})
}

func onNode(node *Server, f func(*goredis.Client) error) error {
	c := client(node)
	return errors.Join(f(c), c.Close())
}

// do runs commands that answer nothing but OK.
func do(ctx context.Context, client *goredis.Client, commands ...[]any) error {
	for _, command := range commands {
		if err := client.Do(ctx, command...).Err(); err != nil {
			return fmt.Errorf("%v: %w", command, err)
		}
	}
	return nil
}
