package env

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// part is one thing the environment can provide.
type part struct {
	name     string
	variable string
	seldom   bool   // not among the defaults
	after    string // the part that has to run before, whose address start gets
	start    func(ctx context.Context, cfg Config, after string) ([]*Server, error)
}

func parts() []part {
	return []part{
		{name: "kafka", variable: KafkaVar, start: alone(StartKafka)},
		{name: "redis", variable: RedisVar, start: alone(StartRedis)},
		{name: "s3", variable: S3Var, start: alone(StartS3)},
		{name: "chromium", variable: ChromiumVar, start: alone(FindChromium)},
		{name: "airflow", variable: AirflowVar, start: alone(FindAirflow)},
		{name: "oracles", variable: OraclesVar, start: alone(BuildOracles)},
		{name: "redis-replica", variable: RedisReplicaVar, seldom: true, after: "redis", start: startReplica},
		{name: "redis-cluster", variable: RedisClusterVar, seldom: true, start: startCluster},
	}
}

// alone makes a part of a single server that needs no other.
func alone(start func(context.Context, Config) (*Server, error)) func(context.Context, Config, string) ([]*Server, error) {
	return func(ctx context.Context, cfg Config, _ string) ([]*Server, error) {
		s, err := start(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return []*Server{s}, nil
	}
}

// Names lists all parts.
func Names() []string { return names(func(part) bool { return true }) }

// Defaults lists the parts that most integration tests need.
func Defaults() []string { return names(func(p part) bool { return !p.seldom }) }

func names(keep func(part) bool) []string {
	var names []string
	for _, p := range parts() {
		if keep(p) {
			names = append(names, p.name)
		}
	}
	return names
}

// Set is a group of running servers.
type Set struct {
	servers []*Server
}

// Start installs what is missing and starts the named parts side by side, those that need another one
// after it. When one of them fails, those that run are stopped again and the error is about the first
// failure.
func Start(ctx context.Context, cfg Config, names []string) (*Set, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("there is no server %q: choose from %s", name, strings.Join(Names(), ", "))
		}
	}
	set := &Set{}
	var first, second []part
	for _, p := range parts() {
		switch {
		case !slices.Contains(names, p.name):
		case p.after == "":
			first = append(first, p)
		default:
			second = append(second, p)
		}
	}
	for _, stage := range [][]part{first, second} {
		if err := set.add(ctx, cfg, stage); err != nil {
			return nil, errors.Join(err, set.Stop())
		}
	}
	return set, nil
}

// add starts parts side by side. The set has those that started even when another one failed.
func (s *Set) add(ctx context.Context, cfg Config, stage []part) error {
	started := make([][]*Server, len(stage))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, p := range stage {
		group.Go(func() error {
			servers, err := s.startPart(groupCtx, cfg, p)
			started[i] = servers
			return err
		})
	}
	err := group.Wait()
	s.servers = append(s.servers, slices.Concat(started...)...)
	return err
}

func (s *Set) startPart(ctx context.Context, cfg Config, p part) ([]*Server, error) {
	if cfg.given(p.variable) != "" {
		cfg.Log.Info("already given", "server", p.name, "variable", p.variable)
		return nil, nil
	}
	after, err := s.addressOf(cfg, p.after)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	began := time.Now()
	servers, err := p.start(ctx, cfg, after)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	cfg.Log.Info("ready", "server", p.name, "after", time.Since(began).Round(time.Millisecond))
	return servers, nil
}

// addressOf returns where a part is that another one needs: in the set, or given from outside.
func (s *Set) addressOf(cfg Config, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if server := s.Server(name); server != nil {
		return server.Addr, nil
	}
	for _, p := range parts() {
		if given := cfg.given(p.variable); p.name == name && given != "" {
			return given, nil
		}
	}
	return "", fmt.Errorf("it needs the server %q: name that one, too", name)
}

// Server returns the running server of a name, or nil. The name is the part's; the nodes of a cluster are
// numbered from 1 ("redis-cluster-1").
func (s *Set) Server(name string) *Server {
	for _, server := range s.servers {
		if server.Name == name {
			return server
		}
	}
	return nil
}

// Environ returns KEY=VALUE for every server, to be appended to os.Environ().
func (s *Set) Environ() []string {
	var environ []string
	for _, server := range s.servers {
		environ = append(environ, server.Env...)
	}
	return environ
}

// Stop stops all servers and removes their folders. It is safe to call twice.
func (s *Set) Stop() error {
	var group errgroup.Group
	for _, server := range s.servers {
		group.Go(server.Stop)
	}
	return group.Wait()
}
