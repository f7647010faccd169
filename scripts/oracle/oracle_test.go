package oracle

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIntegrationOracles builds every judge and asks it something.
func TestIntegrationOracles(t *testing.T) {
	cases := []struct{ name, verb, in, want string }{
		{GoogleSQL, "check", `{"sql":"SELECT 1 AS x"}`, `"columns":[{"name":"x","type":"INT64"}]`},
		{BigQuery, "run", `{"sql":"SELECT 7 AS x"}`, `"rows":[[7]]`},
		{DuckDB, "run", `{"sql":"SELECT 7 AS x"}`, `"rows":[[7]]`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := Need(t, c.name)
			cmd := exec.CommandContext(t.Context(), path, c.verb)
			cmd.Stdin = strings.NewReader(c.in)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%s %s: %s%s (%v), want %s", path, c.verb, out, stderr.String(), err, c.want)
			}
			again, err := Build(t.Context(), c.name)
			if err != nil || again != path {
				t.Errorf("built again as %s (%v), want the kept %s", again, err, path)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	if _, err := Build(t.Context(), "sqlite"); err == nil || !strings.Contains(err.Error(), "googlesql, bigquery, duckdb") {
		t.Errorf("got %v, want an error that lists the oracles", err)
	}
	t.Chdir(t.TempDir())
	if _, err := Build(t.Context(), DuckDB); err == nil || !strings.Contains(err.Error(), "inside the repository") {
		t.Errorf("got %v, want an error that says where to run", err)
	}
	t.Setenv(Variable(DuckDB), "/somewhere/duckdb")
	if path, err := Build(t.Context(), DuckDB); err != nil || path != "/somewhere/duckdb" {
		t.Errorf("got %s, %v, want the path from %s", path, err, Variable(DuckDB))
	}
}

func TestCompilers(t *testing.T) {
	t.Setenv("CC", "")
	t.Setenv("CXX", "no-such-compiler")
	t.Setenv("PATH", t.TempDir())
	if err := compilers(); err == nil || !strings.Contains(err.Error(), "apt-get install g++") {
		t.Errorf("got %v, want an error that says what to install", err)
	}
}

// TestFingerprint changes files one after the other.
func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	if _, err := fingerprint(dir); err == nil {
		t.Error("an empty folder has a fingerprint, want an error")
	}
	write := func(name, content string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := fingerprint(dir)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := write("go.mod", "module x")
	if second := write("main.go", "package main"); second == first {
		t.Error("a new source file changes nothing")
	}
	third := write("main.go", "package main\n")
	if third == first || write("main_test.go", "package main") != third {
		t.Error("want a new fingerprint for a changed source file, and the old one for a changed test")
	}
	if write("go.mod", "module y") == third {
		t.Error("a changed go.mod changes nothing")
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a taken lock: got %v, want to wait until the deadline", err)
	}
	unlock()
	again, err := lock(t.Context(), path)
	if err != nil {
		t.Fatalf("a released lock: %v", err)
	}
	again()
}

// TestPrune keeps the new binary and those of other judges.
func TestPrune(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"duckdb-1", "duckdb-2", "bigquery-1", "lock"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(dir, DuckDB, filepath.Join(dir, "duckdb-2")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "bigquery-1 duckdb-2 lock" {
		t.Errorf("left %s, want the new one and the others'", got)
	}
}
