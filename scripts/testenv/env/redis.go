package env

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// StartRedis starts a Redis that keeps an append-only file, written every second at the latest, so that
// it can be killed and started again, and that never evicts.
func StartRedis(ctx context.Context, cfg Config) (*Server, error) {
	return StartRedisWith(ctx, cfg)
}

// StartRedisWith is StartRedis with settings of redis.conf as arguments ("--maxmemory", "10mb"). The
// server must let the user "default" ping on its plain port.
func StartRedisWith(ctx context.Context, cfg Config, args ...string) (*Server, error) {
	s, err := newRedis(ctx, cfg, "redis", args...)
	if err != nil {
		return nil, err
	}
	s.Env = []string{RedisVar + "=" + s.Addr}
	return s.launch(ctx)
}

// StartRedisReplica starts a replica of the Redis at master (host:port; a proxy may stand between them),
// and returns when it has copied everything. REPLICAOF NO ONE promotes it.
func StartRedisReplica(ctx context.Context, cfg Config, master string) (*Server, error) {
	host, port, err := net.SplitHostPort(master)
	if err != nil {
		return nil, fmt.Errorf("replicate %q, want host:port: %w", master, err)
	}
	s, err := newRedis(ctx, cfg, "redis-replica", "--replicaof", host, port)
	if err != nil {
		return nil, err
	}
	s.Env = []string{RedisReplicaVar + "=" + s.Addr}
	s.probe = func(ctx context.Context) error {
		return errors.Join(
			askRedis(ctx, s.Addr, "INFO replication", "master_link_status:up"),
			askRedis(ctx, s.Addr, "INFO persistence", "aof_rewrite_in_progress:0"))
	}
	return s.launch(ctx)
}

func startReplica(ctx context.Context, cfg Config, master string) ([]*Server, error) {
	s, err := StartRedisReplica(ctx, cfg, master)
	if err != nil {
		return nil, err
	}
	return []*Server{s}, nil
}

// newRedis prepares a redis-server on a free port, with its data in a folder of its own.
func newRedis(ctx context.Context, cfg Config, name string, args ...string) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := cfg.command(ctx, "redis-server", "redis-server")
	if err != nil {
		return nil, err
	}
	s, err := newServer(cfg, name, 2) // the second for a cluster's bus
	if err != nil {
		return nil, err
	}
	s.spec = spec{path: path, args: append([]string{
		"--bind", "127.0.0.1", "--port", s.ports[0].String(), "--dir", s.dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction",
		"--repl-diskless-sync-delay", "0", // by default a replica waits five seconds for others to come
	}, args...)}
	s.probe = func(ctx context.Context) error { return askRedis(ctx, s.Addr, "PING", "+PONG") }
	return s, nil
}

// LoseTail cuts the last bytes off the append-only file of a Redis that was killed: what it had not yet
// brought to the disk when the machine failed. The next start drops the command that is cut in two.
func LoseTail(s *Server, bytes int64) error {
	if s.Running() {
		return fmt.Errorf("cut the append-only file of %s: kill it first", s.Name)
	}
	// Redis 7 keeps a snapshot and, after it, what changed since.
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%d files with changes, want 1", len(files))
	}
	if err != nil {
		return fmt.Errorf("find the append-only file of %s: %w", s.Name, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return fmt.Errorf("measure the append-only file of %s: %w", s.Name, err)
	}
	if err := os.Truncate(files[0], max(0, info.Size()-bytes)); err != nil {
		return fmt.Errorf("cut the append-only file of %s: %w", s.Name, err)
	}
	return nil
}

// askRedis sends one command and succeeds when a line of the answer is the wanted one. It speaks the
// protocol itself: while Redis loads its data it answers errors, which a client would wait out.
func askRedis(ctx context.Context, addr, command, want string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("connect to redis: %w", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("bound the question to redis: %w", err)
		}
	}
	// The second command marks the end of the answer to the first.
	const end = "end-of-answer"
	if _, err := fmt.Fprintf(conn, "%s\r\nECHO %s\r\n", command, end); err != nil {
		return fmt.Errorf("send %s to redis: %w", command, err)
	}
	var first string
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		first = firstOf(first, line)
		switch {
		case line == want:
			return nil
		case line == end, strings.HasPrefix(line, "-") && first != line:
			return fmt.Errorf("redis answered %q to %s, without the line %q", first, command, want)
		}
	}
	return errors.Join(fmt.Errorf("redis ended its answer to %s after %q", command, first), lines.Err())
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
