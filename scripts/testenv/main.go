// Command testenv runs a command with real servers around it:
//
//	testenv run [--only kafka,redis,s3,chromium,airflow,oracles] -- COMMAND [ARG…]
//	testenv install [--only …]
//
// Of the parts, redis-replica and redis-cluster run only where --only names them.
//
// run installs what is missing, starts the servers on free loopback ports, exports their addresses
// (ANABRANCH_TEST_KAFKA, ANABRANCH_TEST_REDIS, ANABRANCH_TEST_S3 with AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY, and so on: the list is in package env), runs COMMAND, stops the servers and exits with
// COMMAND's code. A variable that is already set keeps its value, and its server is not started.
// `testenv run -- bash` gives a shell beside running servers.
//
// install does the same and stops: it fills the cache. See package env for how each part is found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/env"
)

const (
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
	}
	os.Exit(code)
}

// usageError is a command line that cannot be understood.
type usageError struct{ reason string }

// Error says what is wrong and how it is done.
func (e usageError) Error() string {
	return e.reason + "; usage: testenv run|install [--only " + strings.Join(env.Names(), ",") + "] [-- COMMAND [ARG…]]"
}

// options is the parsed command line.
type options struct {
	names   []string
	command []string
}

func parse(args []string) (options, error) {
	if len(args) == 0 || args[0] != "run" && args[0] != "install" {
		return options{}, usageError{"say what to do"}
	}
	flags := flag.NewFlagSet("testenv", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	only := flags.String("only", strings.Join(env.Defaults(), ","), "")
	if err := flags.Parse(args[1:]); err != nil {
		return options{}, usageError{err.Error()}
	}
	if (args[0] == "run") != (flags.NArg() > 0) {
		return options{}, usageError{"run takes a command, install takes none"}
	}
	return options{names: strings.Split(*only, ","), command: flags.Args()}, nil
}

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	opts, err := parse(args)
	if err != nil {
		return exitUsage, err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	began := time.Now()
	set, err := env.Start(ctx, env.Config{Log: log, Output: out}, opts.names)
	if err != nil {
		return exitError, err
	}
	log.Info("servers are ready", "after", time.Since(began).Round(time.Millisecond))
	code, err := 0, error(nil)
	if len(opts.command) > 0 {
		began = time.Now()
		code, err = runCommand(ctx, opts.command, set.Environ())
		log.Info("command ended", "code", code, "after", time.Since(began).Round(time.Millisecond))
	}
	if stopErr := set.Stop(); stopErr != nil {
		return max(code, exitError), errors.Join(err, stopErr)
	}
	return code, err
}

// runCommand returns the command's exit code, or 128 and the signal's number as a shell does.
func runCommand(ctx context.Context, command, environ []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// In a terminal the command stays in the foreground group, where Ctrl-C reaches all of it by
	// itself. Elsewhere it gets a group of its own, so that a signal to us can be passed to all of it.
	target := func() int { return cmd.Process.Pid }
	if !terminal(os.Stdin) {
		cmd.SysProcAttr = env.OwnGroup()
		target = func() int { return -cmd.Process.Pid }
	}
	cmd.Cancel = func() error { return syscall.Kill(target(), syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return exitError, fmt.Errorf("run %s: %w", command[0], err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), fmt.Errorf("run %s: %w", command[0], err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// terminal tells whether somebody sits in front of f. /dev/null is a character device too.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}
