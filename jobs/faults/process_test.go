//go:build integration

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// graceful is how long a process may take to end after SIGTERM.
const graceful = 25 * time.Second

// process is a child at work, with its log in a file.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has been reaped
	out  string        // the file of its standard output

	child bool // it is childMain, not the product
}

// spawn starts a process of the pipeline. args are for roleProduct.
func (w *world) spawn(c childConfig, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this executable: %w", err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration of a process: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := fmt.Sprintf("%s-%d", c.Role, len(w.processes))
	p := &process{
		name: name, cmd: exec.Command(self, args...), done: make(chan struct{}),
		log: filepath.Join(w.dir, name+".log"), out: filepath.Join(w.dir, name+".out"),
		child: c.Role != roleProduct,
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "ANABRANCH_") { // would be flags of the product
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	p.cmd.Env = append(p.cmd.Env, childVar+"="+string(raw), "GOMAXPROCS=2")
	p.cmd.SysProcAttr = env.OwnGroup()
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", name, err)
	}
	defer log.Close()
	out, err := os.Create(p.out)
	if err != nil {
		return nil, fmt.Errorf("make the output of %s: %w", name, err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	w.processes = append(w.processes, p)
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) error {
	if p.ended() {
		return fmt.Errorf("send %s to %s: it has ended (%s); its log ends:\n%s", s, p.name, p.cmd.ProcessState, p.tail())
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("send %s to %s: %w", s, p.name, err)
	}
	return nil
}

// kill ends the process as a power cut does, if it still runs.
func (p *process) kill() {
	if !p.ended() {
		_ = p.cmd.Process.Kill() // it may have ended by now
		<-p.done
	}
}

// stop ends the process in order: within the time that it has, with exit code 0. One that has only just been started gets
// as far as handling the signal before.
func (p *process) stop() error {
	if p.child {
		if err := p.awaitLog(context.Background(), handlesSignals); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := p.wait(graceful)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s ended with %s, %s after SIGTERM; its log ends:\n%s", p.name, p.cmd.ProcessState, time.Since(began), p.tail())
	}
	return nil
}

// wait returns the exit code of a process that ends by itself, -1 for one that a signal ended.
func (p *process) wait(most time.Duration) (int, error) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-timer.C:
		p.kill()
		return 0, fmt.Errorf("%s had not ended after %s; its log ends:\n%s", p.name, most, p.tail())
	}
}

func (p *process) says(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(b), text)
}

// awaitLog waits until the process has logged something.
func (p *process) awaitLog(ctx context.Context, text string) error {
	err := await(ctx, fmt.Sprintf("%s logs %q", p.name, text), func() (bool, error) {
		if p.says(text) {
			return true, nil
		}
		if p.ended() {
			return false, errors.New("it has ended: " + p.cmd.ProcessState.String())
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%w; its log ends:\n%s", err, p.tail())
	}
	return nil
}

// tail is the end of the process's log.
func (p *process) tail() string {
	const most = 1500
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}

// patience bounds a wait that has no other bound.
const patience = 40 * time.Second

// await waits until a condition holds; an error of it ends the wait.
func await(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		}
	}
}
