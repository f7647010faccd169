package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/scripts/bench/rawgen"
)

// duckdbModule is where DuckDB's command is built from: a module of its own, because it needs cgo.
const duckdbModule = "scripts/oracle/duckdb"

// duckdbBinary returns DuckDB's command: the one that ANABRANCH_DUCKDB names, or one that is built now.
func duckdbBinary(ctx context.Context) (string, error) {
	if path := os.Getenv("ANABRANCH_DUCKDB"); path != "" {
		return path, nil
	}
	dir, err := rawgen.CacheDir()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "duckdb")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", duckdbModule, "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build DuckDB from %s (it needs a C compiler; or name a built one in ANABRANCH_DUCKDB): %w\n%s", duckdbModule, err, out)
	}
	return binary, nil
}

// duckdbAnswer is a line that the command prints for a statement.
type duckdbAnswer struct {
	OK    bool               `json:"ok"`
	Error string             `json:"error"`
	Rows  [][]jsontext.Value `json:"rows"`
}

// runDuckDB runs statements in a new process and returns the rows of the last one, and what the process took
// from its start to its end.
func runDuckDB(ctx context.Context, binary string, statements ...string) (rows [][]jsontext.Value, use usage, err error) {
	var in bytes.Buffer
	for _, s := range statements {
		if err := json.MarshalWrite(&in, map[string]string{"sql": s}); err != nil {
			return nil, usage{}, fmt.Errorf("encode a statement: %w", err)
		}
		in.WriteByte('\n')
	}
	cmd := exec.CommandContext(ctx, binary, "run")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, usage{}, fmt.Errorf("run %s: %w", binary, err)
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(out))
	for _, s := range statements {
		var a duckdbAnswer
		if err := json.UnmarshalDecode(decoder, &a); errors.Is(err, io.EOF) {
			return nil, usage{}, fmt.Errorf("DuckDB did not answer %q", s)
		} else if err != nil {
			return nil, usage{}, fmt.Errorf("DuckDB's answer to %q: %w", s, err)
		}
		if !a.OK {
			return nil, usage{}, fmt.Errorf("DuckDB, %q: %s", s, a.Error)
		}
		rows = a.Rows
	}
	state := cmd.ProcessState
	use.CPU = (state.UserTime() + state.SystemTime()).Seconds()
	if r, ok := state.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		use.PeakMB = float64(r.Maxrss) / 1024
	}
	return rows, use, nil
}

// integer reads a cell, which is a number or, where it is large, a text.
func integer(cell jsontext.Value) (int64, error) {
	n, err := strconv.ParseInt(string(bytes.Trim(cell, `"`)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("DuckDB returned %s, expected an integer: %w", cell, err)
	}
	return n, nil
}
