// Command bigquery runs GoogleSQL on the BigQuery emulator, in this process, for tests that compare
// generated SQL with what it should return. It is a module of its own because the emulator takes
// minutes and gigabytes to build; see package emulator for the protocol and for what the emulator
// gets wrong.
//
//	bigquery run < requests.jsonl > answers.jsonl
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/anabranch/anabranch/scripts/oracle/bigquery/emulator"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] != "run" {
		fmt.Fprintln(os.Stderr, "usage: bigquery run < requests.jsonl > answers.jsonl")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bigquery run:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	e, err := emulator.Open()
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Serve(ctx, os.Stdin, os.Stdout)
}
