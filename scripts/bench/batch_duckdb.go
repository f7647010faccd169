package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// duckdbRequest and duckdbAnswer are lines of the protocol of scripts/oracle/duckdb.
type duckdbRequest struct {
	SQL     string `json:"sql"`
	Threads int    `json:"threads"`
}

type duckdbAnswer struct {
	OK        bool               `json:"ok"`
	Error     string             `json:"error"`
	Rows      [][]jsontext.Value `json:"rows"`
	Wall      float64            `json:"wall_seconds"`
	CPU       float64            `json:"cpu_seconds"`
	PeakBytes float64            `json:"peak_bytes"`
}

// runDuckDB runs statements in a new process of DuckDB's command (oracle.Build) and returns the rows of the last one.
// What it took is without starting the process; the peak is of the whole process.
func runDuckDB(ctx context.Context, binary string, threads int, sql string) ([][]jsontext.Value, usage, error) {
	request, err := json.Marshal(duckdbRequest{SQL: sql, Threads: threads})
	if err != nil {
		return nil, usage{}, fmt.Errorf("encode a request for DuckDB: %w", err)
	}
	cmd := exec.CommandContext(ctx, binary, "run")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(request, '\n')), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, usage{}, fmt.Errorf("run %s: %w", binary, err)
	}
	var a duckdbAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, usage{}, fmt.Errorf("decode DuckDB's answer: %w", err)
	}
	if !a.OK {
		return nil, usage{}, fmt.Errorf("DuckDB: %s", a.Error)
	}
	return a.Rows, usage{CPU: a.CPU, Wall: a.Wall, PeakMB: a.PeakBytes / (1 << 20)}, nil
}

// integer reads a cell, which is a number or, where it is large, a text.
func integer(cell jsontext.Value) (int64, error) {
	n, err := strconv.ParseInt(string(bytes.Trim(cell, `"`)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("DuckDB returned %s, expected an integer: %w", cell, err)
	}
	return n, nil
}
