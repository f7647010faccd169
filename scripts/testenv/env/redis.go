package env

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
)

// StartRedis starts a Redis that keeps an append-only file, so that it can be killed and started
// again, and that never evicts.
func StartRedis(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := cfg.command(ctx, "redis-server", "redis-server")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, "redis")
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	s.Addr = addr
	s.Env = []string{RedisVar + "=" + addr}
	s.spec = spec{path: path, args: []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(ports[0]), "--dir", s.dir, "--daemonize", "no",
		"--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
	}}
	s.probe = func(ctx context.Context) error { return pingRedis(ctx, addr) }
	return s.launch(ctx)
}

// pingRedis speaks the one line of protocol that readiness needs. While Redis loads its data it
// answers an error instead of PONG.
func pingRedis(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("connect to redis: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("bound the ping of redis: %w", err)
		}
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the answer of redis: %w", err)
	}
	if answer != "+PONG\r\n" {
		return fmt.Errorf("redis answered %q to PING", answer)
	}
	return nil
}
