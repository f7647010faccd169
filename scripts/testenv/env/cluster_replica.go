package env

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// AddReplica starts a replica of the master Nodes[of], and returns when it has copied everything and all nodes know it.
// When that master is killed the others promote the replica, after some three seconds; what the master had
// acknowledged and not yet sent is lost. It stops with the cluster.
func (c *RedisCluster) AddReplica(ctx context.Context, cfg Config, of int) (*Server, error) {
	s, err := newClusterNode(ctx, cfg, fmt.Sprintf("redis-cluster-%d-replica", of+1))
	if err != nil {
		return nil, err
	}
	c.Replicas = append(c.Replicas, s)
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	if err := onNode(s, func(client *goredis.Client) error { return do(ctx, client, c.greeting()) }); err != nil {
		return nil, fmt.Errorf("put %s into the cluster: %w", s.Name, err)
	}
	s.probe = c.knowsAll(s)
	if err := s.proc.waitReady(ctx, startTimeout, s.probe); err != nil {
		return nil, err
	}
	if err := c.follow(ctx, s, c.Nodes[of]); err != nil {
		return nil, fmt.Errorf("make %s a replica of %s: %w", s.Name, c.Nodes[of].Name, err)
	}
	for _, node := range c.Nodes {
		if err := node.proc.waitReady(ctx, startTimeout, node.probe); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// follow makes a node a replica of a master and waits for the copy.
func (c *RedisCluster) follow(ctx context.Context, s, master *Server) error {
	id := ""
	err := onNode(master, func(client *goredis.Client) (err error) {
		id, err = client.Do(ctx, "CLUSTER", "MYID").Text()
		return err
	})
	if err != nil {
		return err
	}
	if err := onNode(s, func(client *goredis.Client) error { return do(ctx, client, []any{"CLUSTER", "REPLICATE", id}) }); err != nil {
		return err
	}
	return s.proc.waitReady(ctx, startTimeout, func(ctx context.Context) error {
		return errors.Join(
			askRedis(ctx, s.Addr, "INFO replication", "role:slave"),
			askRedis(ctx, s.Addr, "INFO replication", "master_link_status:up"))
	})
}
