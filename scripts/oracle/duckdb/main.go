// Command duckdb runs SQL scripts over Parquet files on DuckDB and says what they cost. It is a
// module of its own because DuckDB needs cgo; see package engine for the protocol.
//
//	duckdb run < requests.jsonl > answers.jsonl
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/anabranch/anabranch/scripts/oracle/duckdb/engine"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] != "run" {
		fmt.Fprintln(os.Stderr, "usage: duckdb run < requests.jsonl > answers.jsonl")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "duckdb run:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	e, err := engine.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(e.Serve(ctx, os.Stdin, os.Stdout), e.Close())
}
