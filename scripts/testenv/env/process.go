package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// logTail is how much of a failed server's log an error shows, in bytes.
const logTail = 4 << 10

// process is a child in a process group of its own, with its output in a file.
type process struct {
	cmd     *exec.Cmd
	logFile string
	done    chan struct{} // closed when the child has been reaped
}

// startProcess starts a child whose output is appended to logFile.
func startProcess(sp spec, logFile string) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a log for %s: %w", sp.path, err)
	}
	defer out.Close() // the child has its own descriptor
	cmd := exec.Command(sp.path, sp.args...)
	cmd.Env = append(os.Environ(), sp.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = OwnGroup()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", sp.path, err)
	}
	p := &process{cmd: cmd, logFile: logFile, done: make(chan struct{})}
	go func() {
		// Its exit status is of no use: it either runs until it is stopped, or waitReady tells.
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// waitReady calls probe until it succeeds. It gives up at once when the process ends, and otherwise
// after timeout; its error then ends with the tail of the log.
func (p *process) waitReady(ctx context.Context, timeout time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probeOnce(ctx, probe)
		if err == nil && p.running() { // else somebody else answered on its port
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%s); the end of its log:\n%s", p.cmd.Path, p.cmd.ProcessState, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; last: %w; the end of its log:\n%s", p.cmd.Path, context.Cause(ctx), err, p.tail())
		}
	}
}

func probeOnce(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return probe(ctx)
}

// stop asks the process group to end, and kills it after grace. It asks every second: a Redis that writes
// its first append-only file refuses, and forgets that it was asked.
func (p *process) stop(grace time.Duration) error {
	if !p.running() {
		return nil // its number may be somebody else's by now
	}
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		// A paused process sees the first signal only after the second.
		if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
			return err
		}
		select {
		case <-p.done:
			// Members of the group that outlived its leader.
			return p.signal(syscall.SIGKILL)
		case <-deadline.C:
			return p.kill()
		case <-tick.C:
		}
	}
}

// kill ends the process group without asking, and returns when the child is gone.
func (p *process) kill() error {
	if !p.running() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// signal sends sig to the process group; that nobody is left in it is fine.
func (p *process) signal(sig syscall.Signal) error {
	err := syscall.Kill(-p.cmd.Process.Pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to the process group of %s: %w", sig, p.cmd.Path, err)
	}
	return nil
}

func (p *process) tail() string {
	b, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-logTail):]))
}
