// Package oracle builds the independent judges of the feature engines, and hands their binaries to
// tests and benchmarks:
//
//   - googlesql: type-checks GoogleSQL. `googlesql check`
//   - bigquery: runs GoogleSQL on a BigQuery emulator. `bigquery run`
//   - duckdb: runs SQL over Parquet files and measures it. `duckdb run`
//
// Each is a Go module of its own below this folder, because it takes cgo (duckdb) or minutes and
// gigabytes (the others) to build, and the product shall need neither. Each reads JSON lines and
// answers with JSON lines; the package comments in the modules describe them. So the modules build
// alone, and this one links none of them.
//
//	path := oracle.Need(t, oracle.BigQuery) // a test
//	path, err := oracle.Build(ctx, oracle.DuckDB) // a benchmark
//
// A binary is built once for each state of its sources and kept in the user's cache folder. Two
// processes that want the same one at once build it once: the second waits.
package oracle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The judges.
const (
	GoogleSQL = "googlesql"
	BigQuery  = "bigquery"
	DuckDB    = "duckdb"
)

// Names lists the judges.
func Names() []string { return []string{GoogleSQL, BigQuery, DuckDB} }

// Variable names the environment variable that, where it is set, has the path of a binary that is
// taken instead of building one: ANABRANCH_ORACLE_DUCKDB and so on.
func Variable(name string) string { return "ANABRANCH_ORACLE_" + strings.ToUpper(name) }

// Build returns the path of a judge's binary, which it builds where the cache has none of the
// current sources. That takes minutes for the first of googlesql and bigquery, whose largest package
// takes 6.5 GB to compile, and seconds afterwards. What the compiler says goes into the error. The
// working directory must lie in the repository.
func Build(ctx context.Context, name string) (string, error) {
	if !slices.Contains(Names(), name) {
		return "", fmt.Errorf("oracle %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	if path := os.Getenv(Variable(name)); path != "" {
		return path, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "scripts", "oracle", name)
	key, err := fingerprint(source)
	if err != nil {
		return "", fmt.Errorf("oracle %s: %w", name, err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(base, "anabranch-oracle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	binary := filepath.Join(dir, name+"-"+key)
	if exists(binary) {
		return binary, nil
	}
	// One lock for all of them: two compilations side by side would need twice the memory.
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another build: %w", err)
	}
	defer unlock()
	if exists(binary) {
		return binary, nil
	}
	if err := compile(ctx, name, source, binary); err != nil {
		return "", fmt.Errorf("build oracle %s in %s: %w", name, source, err)
	}
	return binary, prune(dir, name, binary)
}

// compile builds a module into a file that appears only when it is complete.
func compile(ctx context.Context, name, source, binary string) error {
	partial := binary + ".tmp"
	// -p 2: packages that take gigabytes must not compile all at once.
	arguments := []string{"go", "build", "-p", "2", "-ldflags", "-s -w", "-o", partial, "."}
	if nice, err := exec.LookPath("nice"); err == nil {
		arguments = append([]string{nice, "-n", "10"}, arguments...)
	}
	cgo := "CGO_ENABLED=0"
	if name == DuckDB {
		cgo = "CGO_ENABLED=1"
		if err := compilers(); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), cgo, "GOWORK=off", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(arguments, " "), err, tail(out))
	}
	return os.Rename(partial, binary)
}

// compilers looks for what cgo needs to link DuckDB, which is C++.
func compilers() error {
	for _, compiler := range []struct{ variable, command string }{{"CC", "gcc"}, {"CXX", "g++"}} {
		command := cmp.Or(os.Getenv(compiler.variable), compiler.command)
		if _, err := exec.LookPath(strings.Fields(command + " ")[0]); err != nil {
			return fmt.Errorf("it needs a C and a C++ compiler, and there is no %s: apt-get install g++, xcode-select --install, or set %s", command, compiler.variable)
		}
	}
	return nil
}

// prune removes the binaries of older sources. One that still runs keeps running.
func prune(dir, name, keep string) error {
	old, err := filepath.Glob(filepath.Join(dir, name+"-*"))
	if err != nil {
		return fmt.Errorf("look for older builds: %w", err)
	}
	var errs []error
	for _, path := range old {
		if path != keep {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// moduleRoot is the folder of the repository, found upwards from the working directory.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "scripts", "oracle", "oracle.go")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder above %s has scripts/oracle: run inside the repository, or set %s", start, Variable("NAME"))
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tail is the end of what a compiler said.
func tail(out []byte) string {
	const most = 4000
	return string(out[max(0, len(out)-most):])
}
