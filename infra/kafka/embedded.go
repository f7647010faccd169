package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// EmbeddedConfig says where an embedded broker keeps its log and where it listens.
type EmbeddedConfig struct {
	// Dir holds the log and is created where it is missing. "" keeps the log in memory.
	Dir string
	// Addr is the loopback host:port to listen on; "" takes a free port. Clients that outlive the
	// broker find its successor only on the same port.
	Addr string
	// Logger gets the broker's warnings and errors; nil discards them.
	Logger *slog.Logger
}

// Embedded is a Kafka broker in this process; see the package comment for what it keeps and lacks.
type Embedded struct {
	cluster *kfake.Cluster
	lock    *os.File
	addr    string
}

// never is longer than any broker runs; it still fits a time.Duration when read as milliseconds.
const never = 100 * 365 * 24 * time.Hour

// StartEmbedded starts a broker. A directory that another process uses gives an error that wraps
// [ErrLocked].
func StartEmbedded(cfg EmbeddedConfig) (*Embedded, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	listen, err := listenOn(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("start embedded kafka: %w", err)
	}
	e := &Embedded{}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("anabranch-embedded"),
		kfake.ListenFn(listen),
		kfake.WithLogger(brokerLogger{cfg.Logger}),
		// The ticker of compaction and retention; see the package comment.
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": strconv.FormatInt(never.Milliseconds(), 10)}),
	}
	if cfg.Dir != "" {
		if e.lock, err = lockDir(cfg.Dir); err != nil {
			return nil, fmt.Errorf("start embedded kafka: %w", err)
		}
		opts = append(opts, kfake.DataDir(cfg.Dir), kfake.SyncWrites())
	}
	if e.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, errors.Join(fmt.Errorf("start embedded kafka in %q: %w", cfg.Dir, err), e.unlock())
	}
	e.addr = e.cluster.ListenAddrs()[0]
	return e, nil
}

// Addr is the host:port to dial.
func (e *Embedded) Addr() string { return e.addr }

// Cluster is the real thing, for tests that inject faults.
func (e *Embedded) Cluster() *kfake.Cluster { return e.cluster }

// Close writes what a clean stop can keep (sequence numbers, group members), stops the broker and
// releases the directory.
func (e *Embedded) Close() error {
	e.cluster.Close()
	return e.unlock()
}

func (e *Embedded) unlock() error {
	if e.lock == nil {
		return nil
	}
	if err := e.lock.Close(); err != nil {
		return fmt.Errorf("release %s: %w", e.lock.Name(), err)
	}
	return nil
}

// listenOn returns a listen function for one loopback address. The broker has no authentication, so
// it must not be reachable from elsewhere.
func listenOn(addr string) (func(network, address string) (net.Listener, error), error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("address %q is not loopback: the embedded broker has no authentication", addr)
	}
	return func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) }, nil
}

// brokerLogger hands the broker's warnings and errors to slog. Its lower levels trace every request.
type brokerLogger struct{ logger *slog.Logger }

func (l brokerLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	var to slog.Level
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	default:
		return
	}
	l.logger.Log(context.Background(), to, "embedded kafka", "says", fmt.Sprintf(format, args...))
}
