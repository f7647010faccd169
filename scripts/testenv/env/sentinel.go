package env

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// SentinelMaster is the name under which a sentinel knows its master.
const SentinelMaster = "anabranch"

// StartRedisSentinel starts one sentinel that watches master (host:port) and promotes a replica when the
// master was silent for a second; it returns when it knows a replica.
func StartRedisSentinel(ctx context.Context, cfg Config, master string) (*Server, error) {
	host, port, err := net.SplitHostPort(master)
	if err != nil {
		return nil, fmt.Errorf("watch %q, want host:port: %w", master, err)
	}
	s, err := newRedis(ctx, cfg, "redis-sentinel")
	if err != nil {
		return nil, err
	}
	// A sentinel keeps what it learns in its configuration, so that has to be a file.
	file := filepath.Join(s.dir, "sentinel.conf")
	settings := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor %[3]s %[4]s %[5]s 1\n"+
		"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n",
		s.ports[0], s.dir, SentinelMaster, host, port)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write the sentinel's configuration: %w", err), s.Stop())
	}
	s.spec.args = []string{file, "--sentinel"}
	s.probe = func(ctx context.Context) error {
		return askRedis(ctx, s.Addr, "SENTINEL REPLICAS "+SentinelMaster, "name")
	}
	return s.launch(ctx)
}
