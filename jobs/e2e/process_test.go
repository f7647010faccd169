package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/jobs"
	"github.com/anabranch/anabranch/scripts/testenv/env"
)

// childVar makes the test binary be the product.
const childVar = "ANABRANCH_E2E_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(jobs.Main(jobs.Env{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	goleak.VerifyTestMain(m)
}

// command returns the product as a process that has not started yet. Variables that would be flags
// of it are kept from it.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "ANABRANCH_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, childVar+"=1")
	cmd.SysProcAttr = env.OwnGroup()
	return cmd
}

// run runs a command that ends by itself and returns what it printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, logged bytes.Buffer
	cmd := command(t, args...)
	cmd.Stdout, cmd.Stderr = &out, &logged
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %v: %v", args, err)
	}
	return out.String(), logged.String(), cmd.ProcessState.ExitCode()
}

// mustRun is run of a command that has to succeed.
func mustRun(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	stdout, stderr, code := run(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// announcement is what `dev --json` prints when it is ready.
type announcement struct {
	URL        string  `json:"url"`
	Seconds    float64 `json:"seconds"`
	Generation string  `json:"generation"`
	User       string  `json:"user"`
}

// process is a running command that serves.
type process struct {
	name    string
	cmd     *exec.Cmd
	log     *os.File
	started time.Time
	ready   chan announcement // has the announcement, once it was made
	done    chan struct{}     // closed when the process has been reaped
}

// start starts a command that runs until it is stopped, which the end of the test does at the latest.
// When the test has failed by then, it shows the end of the command's log.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), args[0]+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: args[0], cmd: command(t, args...), log: log, started: time.Now(), ready: make(chan announcement, 1), done: make(chan struct{})}
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.follow(out)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", filepath.Base(log.Name()), p.tail(8<<10))
		}
		_ = log.Close()
	})
	return p
}

// follow takes the announcement from the first line, and reaps the process after the last.
func (p *process) follow(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a announcement
		if json.Unmarshal(lines.Bytes(), &a) == nil && a.URL != "" {
			p.ready <- a
		}
	}
	_ = p.cmd.Wait() // its exit code is in ProcessState
	close(p.done)
}

// waitReady returns the announcement.
func (p *process) waitReady(t *testing.T, most time.Duration) announcement {
	t.Helper()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case a := <-p.ready:
		return a
	case <-p.done:
		t.Fatalf("%s ended before it was ready: %s\n%s", p.name, p.cmd.ProcessState, p.tail(4<<10))
	case <-timer.C:
		t.Fatalf("%s is not ready after %s\n%s", p.name, most, p.tail(4<<10))
	}
	return announcement{}
}

// kill ends the process as a crash of the machine's memory would: it gets no chance to do anything.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// interrupt presses Ctrl-C and returns how long the process took to end, and its exit code.
func (p *process) interrupt(t *testing.T, most time.Duration) (took time.Duration, code int) {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("interrupt %s: %v", p.name, err)
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		t.Fatalf("%s still runs %s after the interrupt\n%s", p.name, most, p.tail(4<<10))
	}
	return time.Since(began), p.cmd.ProcessState.ExitCode()
}

func (p *process) tail(most int) string {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// freePort returns an address that nobody listens on. It lies below the ports that the kernel hands
// out by itself, so that nobody gets it by chance while a process that was killed starts again.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", address); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("no free port between 10000 and 30000")
	return ""
}

// until calls f every few milliseconds until it reports true, for at most as long as ctx lasts.
func until(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}
