package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// startTimeout bounds the time from fork to ready on a slow, busy machine.
	startTimeout = 2 * time.Minute
	// stopGrace is how long a server may take to stop by itself before it is killed.
	stopGrace = 20 * time.Second
)

// Server is one running server, or, without a process, something that was only found.
type Server struct {
	Name string
	Addr string   // host:port; empty without a process
	Env  []string // KEY=VALUE, for the tests

	dir   string // removed by Stop
	ports []port // released by Stop
	spec  spec
	probe func(context.Context) error
	proc  *process
}

// spec is how a server's process is started, and restarted.
type spec struct {
	path string
	args []string
	env  []string // added to os.Environ()
}

// newServer makes the server's temporary folder and reserves its ports, the first of which is its address;
// the caller starts it.
func newServer(cfg Config, name string, ports int) (*Server, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "anabranch-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for %s: %w", name, err)
	}
	s := &Server{Name: name, dir: dir}
	if s.ports, err = reservePorts(ports); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.Addr = s.ports[0].addr()
	return s, nil
}

// Dir is the server's own folder: configuration, data and log.
func (s *Server) Dir() string { return s.dir }

// Start starts a server that was killed, on the same port and data, and returns when it answers.
func (s *Server) Start(ctx context.Context) error {
	if s.Running() {
		return fmt.Errorf("%s already runs", s.Name)
	}
	proc, err := startProcess(s.spec, s.logFile())
	if err != nil {
		return err
	}
	s.proc = proc
	if err := proc.waitReady(ctx, startTimeout, s.probe); err != nil {
		return errors.Join(err, proc.stop(stopGrace))
	}
	return nil
}

// Kill ends the server with SIGKILL, as a crash would, and keeps its data for Start.
func (s *Server) Kill() error {
	if s.proc == nil {
		return nil
	}
	return s.proc.kill()
}

// Restart is Kill and Start.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Pause stops the server's processes where they are (SIGSTOP): its connections stay open and silent.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on (SIGCONT).
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	if !s.Running() {
		return fmt.Errorf("send %s to %s: it does not run", sig, s.Name)
	}
	return s.proc.signal(sig)
}

// Running tells whether the server's process is there, paused or not.
func (s *Server) Running() bool { return s.proc != nil && s.proc.running() }

// Stop stops the server, in order if it can within 20 s, and removes its folder. A second call does
// nothing.
func (s *Server) Stop() error {
	var err error
	if s.proc != nil {
		err = s.proc.stop(stopGrace)
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	err = errors.Join(err, releaseAll(s.ports))
	s.ports = nil
	return err
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// launch starts the new server s, and takes it down again when it does not come up.
func (s *Server) launch(ctx context.Context) (*Server, error) {
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}
