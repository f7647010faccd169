// Command bench measures one suite and prints a table; with -json FILE it also appends, for each
// value, one JSON object a line: {"suite","name","value","unit","params"}.
//
//	make bench                                # what suites there are
//	make bench SUITE=machine JSON=out.jsonl
//
// A suite is a function in a file of its own here, and a line in suites(). It measures real parts
// through their public interfaces and says in the parameters what it measured them with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
)

const (
	exitError = 1
	exitUsage = 2
)

// suite is one thing that can be measured.
type suite struct {
	name  string
	about string
	run   func(ctx context.Context, out *report) error
}

// suites is the whole list; add a suite by adding a line.
func suites() []suite {
	return []suite{
		{"machine", "what this machine can do: cores, memory, loopback; run it beside any other suite", runMachine},
		{"freshness", "how soon recommendations know a click, over HTTP against the whole of dev", runFreshness},
		{"stream", "Kafka to live state in a real Redis, against Redis alone, and how soon an event is servable (PART=, SCALE=, SECONDS=)", runStream},
		{"batch", "the columnar engine against DuckDB on generated raw archives (PART=, SCALE=)", runBatch},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:], suites(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, known []suite, stdout io.Writer) (int, error) {
	if len(args) == 1 && args[0] == computeVerb {
		if err := runCompute(ctx, os.Stdin, stdout); err != nil {
			return exitError, err
		}
		return 0, nil
	}
	if len(args) == 1 && args[0] == brokerVerb {
		if err := runBroker(os.Stdin, stdout); err != nil {
			return exitError, err
		}
		return 0, nil
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := flags.String("suite", "", "the suite to run")
	jsonFile := flags.String("json", "", "append one JSON object a line to this file")
	if err := flags.Parse(args); err != nil {
		return exitUsage, err
	}
	if flags.NArg() > 0 {
		return exitUsage, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *name == "" {
		return 0, listSuites(stdout, known)
	}
	for _, s := range known {
		if s.name == *name {
			if err := measure(ctx, s, *jsonFile, stdout); err != nil {
				return exitError, fmt.Errorf("suite %s: %w", s.name, err)
			}
			return 0, nil
		}
	}
	return exitUsage, fmt.Errorf("there is no suite %q: choose from %s", *name, strings.Join(suiteNames(known), ", "))
}

func suiteNames(known []suite) []string {
	var names []string
	for _, s := range known {
		names = append(names, s.name)
	}
	return names
}

func listSuites(out io.Writer, known []suite) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range known {
		fmt.Fprintf(table, "%s\t%s\n", s.name, s.about)
	}
	return table.Flush()
}

// measure runs a suite. The values it found before it failed are reported all the same.
func measure(ctx context.Context, s suite, jsonFile string, stdout io.Writer) error {
	out := &report{suite: s.name}
	runErr := s.run(ctx, out)
	err := out.table(stdout)
	if jsonFile != "" {
		err = errors.Join(err, out.appendJSON(jsonFile))
	}
	return errors.Join(runErr, err)
}
