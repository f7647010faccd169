package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/anabranch/anabranch/schemas/api"
)

// service is a long-running part of a process. Run returns nil when ctx ends.
type service struct {
	name string
	run  func(ctx context.Context) error
}

// runAll runs services until ctx ends or the first of them fails, which stops the others.
func runAll(ctx context.Context, services ...service) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range services {
		group.Go(func() error {
			if err := s.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// again runs f until ctx ends, restarting it when it fails: for followers that lose nothing by it.
func again(log *slog.Logger, name string, f func(ctx context.Context) error) service {
	return service{name, func(ctx context.Context) error {
		wait := backoff.NewExponentialBackOff()
		for {
			err := f(ctx)
			if ctx.Err() != nil || err == nil {
				return nil
			}
			pause := wait.NextBackOff()
			log.Warn("restarting", "part", name, "in", pause.Round(time.Millisecond).String(), "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	}}
}

// listen opens the HTTP listener, before anything else is started: an occupied port is told at once.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, api.Errorf(api.Invalid, "address %s is in use: stop the process that listens there, or choose another with --listen", address)
	}
	if err != nil {
		return nil, api.Errorf(api.Invalid, "listen on %s: %w", address, err)
	}
	return l, nil
}

// httpService serves a handler; at the end it lets running requests finish for up to three seconds
// and then cuts them off.
func httpService(l net.Listener, handler http.Handler, log *slog.Logger) service {
	return service{"http", func(ctx context.Context) error {
		server := &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
			WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		var silent silentConns
		server.ConnState = silent.follow
		server.RegisterOnShutdown(silent.close) // which is called when the listener is closed
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(l) }()
		select {
		case err := <-failed:
			return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
		case <-ctx.Done():
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			log.Warn("requests that still ran were cut off")
			err = server.Close()
		}
		if err != nil {
			return fmt.Errorf("stop HTTP: %w", err)
		}
		return nil
	}}
}

// silentConns are the connections on which no request has come yet. Browsers and clients open some in
// advance, and http.Server.Shutdown would wait five seconds for their first request.
type silentConns struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// follow is an http.Server.ConnState.
func (s *silentConns) follow(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != http.StateNew {
		delete(s.conns, c)
		return
	}
	if s.closed { // accepted just before the listener was closed, told after it
		_ = c.Close()
		return
	}
	if s.conns == nil {
		s.conns = map[net.Conn]struct{}{}
	}
	s.conns[c] = struct{}{}
}

// close closes them, and those that are still to be told of.
func (s *silentConns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // the server notices, too
	}
}
