// Package jobs is the command line: one file a command, and the only place where concrete drivers
// are put together (parts.go). The layers below know no flag, no environment and no process.
//
// Results go to stdout; progress and logs go to stderr. Configuration comes from flags, the
// environment and one YAML file, in that order of strength. Exit codes: 0 ok, 1 error, 2 usage,
// 3 quality gate, 4 superseded or locked, 75 try again.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/api"
)

// Env is what a process hands to a command: a test hands its own.
type Env struct {
	Context context.Context // ends the command; nil means only a signal does
	Args    []string
	Stdout  io.Writer
	Stderr  io.Writer
}

// runtimeEnv is what every command runs with.
type runtimeEnv struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
	now    func() time.Time
}

// Main runs one command and returns the process's exit code.
func Main(env Env) int {
	var c cli
	exited := -1
	parser, err := newParser(&c, env, func(code int) { exited = code })
	if err != nil {
		_, _ = fmt.Fprintln(env.Stderr, "anabranch:", err)
		return exitError
	}
	cmd, err := parser.Parse(env.Args)
	if exited >= 0 { // help was asked for and is printed; whatever else was on the line does not matter
		return exited
	}
	if err != nil {
		_, _ = fmt.Fprintf(env.Stderr, "anabranch: %v\n", err)
		return exitUsage
	}
	base := env.Context
	if base == nil {
		base = context.Background()
	}
	ctx, stop := signal.NotifyContext(base, os.Interrupt, syscall.SIGTERM)
	defer stop()
	rt := &runtimeEnv{ctx: ctx, stdout: env.Stdout, stderr: env.Stderr, log: newLogger(env.Stderr, c.Log), now: time.Now}
	redis.LogTo(rt.log)
	return report(env.Stderr, cmd.Run(rt))
}

// newParser returns the parser of the command line, which fills c.
func newParser(c *cli, env Env, exit func(int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("anabranch"),
		kong.Description(description),
		kong.Writers(env.Stdout, env.Stderr),
		kong.DefaultEnvars("ANABRANCH"),
		kong.Configuration(loadConfig),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.Help(examplesFirst),
		kong.Exit(exit),
		kong.Vars{"version": Version()},
	)
}

// Exit codes. 75 is EX_TEMPFAIL of sysexits.h.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitGate     = 3
	exitLost     = 4
	exitTryAgain = 75
)

// exitWith is an error that asks for an exit code of its own and prints nothing.
type exitWith struct{ code int }

func (e exitWith) Error() string { return fmt.Sprintf("exit %d", e.code) }

func report(w io.Writer, err error) int {
	var with exitWith
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &with):
		return with.code
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(w, "anabranch: interrupted")
		return exitError
	}
	_, _ = fmt.Fprintf(w, "anabranch: %v\n", err)
	return ExitCode(err)
}

// ExitCode maps an error to the exit code that orchestrators act on.
func ExitCode(err error) int {
	switch api.CodeOf(err) {
	case "":
		return exitOK
	case api.Invalid, api.TooLarge:
		return exitUsage
	case api.Gate:
		return exitGate
	case api.Superseded, api.Locked:
		return exitLost
	case api.Unavailable:
		return exitTryAgain
	case api.NotFound, api.Internal:
		return exitError
	}
	return exitError
}
