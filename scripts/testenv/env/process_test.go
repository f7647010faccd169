package env

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell starts a script as a server would be started.
func shell(t *testing.T, script string) (p *process, dir string) {
	t.Helper()
	dir = t.TempDir()
	p, err := startProcess(spec{path: "/bin/sh", args: []string{"-c", script}, env: []string{"DIR=" + dir}}, filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.kill(); err != nil {
			t.Error(err)
		}
	})
	return p, dir
}

// exists is a probe that succeeds when the script has made its file.
func exists(path string) func(context.Context) error {
	return func(context.Context) error {
		_, err := os.Stat(path)
		return err
	}
}

func TestProcessStopsInOrder(t *testing.T) {
	t.Parallel()
	p, dir := shell(t, `trap 'touch $DIR/stopped; exit 0' TERM; touch $DIR/ready; while :; do sleep 0.05; done`)
	if err := p.waitReady(t.Context(), time.Minute, exists(filepath.Join(dir, "ready"))); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := exists(filepath.Join(dir, "stopped"))(t.Context()); err != nil {
		t.Errorf("the process was not asked to stop: %v", err)
	}
	if p.running() {
		t.Error("the process still runs after stop")
	}
}

func TestProcessThatIgnoresTermIsKilledWithItsChildren(t *testing.T) {
	t.Parallel()
	p, dir := shell(t, `trap '' TERM; (while :; do sleep 0.05; done) & touch $DIR/ready; wait; while :; do sleep 0.05; done`)
	if err := p.waitReady(t.Context(), time.Minute, exists(filepath.Join(dir, "ready"))); err != nil {
		t.Fatal(err)
	}
	pid := p.cmd.Process.Pid
	if err := p.stop(100 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	gone := func(context.Context) error {
		if err := syscall.Kill(-pid, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("its process group still has members")
		}
		return nil
	}
	eventually(t, gone)
}

// eventually polls until probe succeeds: the kernel ends killed processes in its own time.
func eventually(t *testing.T, probe func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

func TestProcessThatEndsEarlyShowsItsLog(t *testing.T) {
	t.Parallel()
	p, dir := shell(t, `echo the port is taken >&2; exit 3`)
	err := p.waitReady(t.Context(), time.Minute, exists(filepath.Join(dir, "never")))
	if err == nil || !strings.Contains(err.Error(), "the port is taken") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("waitReady: %v, want the exit status and the log", err)
	}
}

func TestProcessThatIsNeverReadyTimesOut(t *testing.T) {
	t.Parallel()
	p, dir := shell(t, `echo thinking; while :; do sleep 0.05; done`)
	err := p.waitReady(t.Context(), 200*time.Millisecond, exists(filepath.Join(dir, "never")))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("waitReady: %v, want the deadline and the last probe's error", err)
	}
}

func TestStartRefusesUnknownNames(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Config{Cache: t.TempDir()}, []string{"redis", "mysql"})
	if err == nil || !strings.Contains(err.Error(), `no server "mysql"`) {
		t.Errorf("Start: %v, want it to refuse mysql", err)
	}
}

func TestCachedFillsOnceAndForgetsFailures(t *testing.T) {
	t.Parallel()
	cfg, err := Config{Cache: t.TempDir()}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	fill := func(failure error) func(context.Context, string) error {
		return func(_ context.Context, dir string) error {
			calls++
			return errors.Join(os.WriteFile(filepath.Join(dir, "x"), nil, 0o644), failure)
		}
	}
	if _, err := cfg.cached(t.Context(), "thing", fill(errors.New("no network"))); err == nil {
		t.Error("a failed installation was taken for a good one")
	}
	for range 2 {
		dir, err := cfg.cached(t.Context(), "thing", fill(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := exists(filepath.Join(dir, "x"))(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if calls != 2 {
		t.Errorf("filled %d times, want 2: one failure, one success, one from the cache", calls)
	}
	left, err := filepath.Glob(filepath.Join(cfg.Cache, "*.partial-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestJavaMajor(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]int{
		`openjdk version "17.0.15" 2025-04-15`: 17,
		`openjdk version "21" 2023-09-19`:      21,
		`java version "1.8.0_392"`:             1,
		`command not found`:                    0,
	} {
		if got := javaMajor(out); got != want {
			t.Errorf("javaMajor(%q) = %d, want %d", out, got, want)
		}
	}
}
