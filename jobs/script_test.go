package jobs_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anabranch/anabranch/jobs"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"anabranch": func() {
			os.Exit(jobs.Main(jobs.Env{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr}))
		},
	})
}

// TestScripts runs the command line as its users do. The scripts are in testdata/script; beside
// testscript's own commands they have those below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(2 * time.Minute),
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"occupy":   occupy,
			"checksum": checksum,
			"await":    await,
			"count":    count,
			"damage":   damage,
		},
	})
}

// exits CODE PROGRAM ARGS… runs a program and requires its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, expected %d", strings.Join(args[1:], " "), got, want)
	}
}

// occupy VAR listens on a free port for the rest of the script and puts its address into VAR.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: occupy VAR")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// checksum FILE DIR… writes the SHA-256 of every file below the folders into FILE.
func checksum(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: checksum FILE DIR…")
	}
	var out strings.Builder
	for _, dir := range args[1:] {
		n := 0
		ts.Check(eachFile(ts.MkAbs(dir), func(path string) error {
			n++
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(ts.MkAbs("."), path)
			fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(b), rel)
			return err
		}))
		if n == 0 {
			ts.Fatalf("%s holds no file: a comparison would prove nothing", dir)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

// await FILE waits until the file exists and is not empty.
func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if info, err := os.Stat(ts.MkAbs(args[0])); err == nil && info.Size() > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("%s did not appear within a minute", args[0])
		}
	}
}

// count N DIR TEXT requires that the paths of N files below the folder contain the text.
func count(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: count N DIR TEXT")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var found []string
	ts.Check(eachFile(ts.MkAbs(args[1]), func(path string) error {
		if strings.Contains(path, args[2]) {
			found = append(found, path)
		}
		return nil
	}))
	if len(found) != want {
		ts.Fatalf("%d files below %s match %s, expected %d: %s", len(found), args[1], args[2], want, strings.Join(found, ", "))
	}
}

// damage truncate|flip DIR TEXT cuts the first file below the folder whose path contains the text,
// or changes one byte in its middle.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: damage truncate|flip DIR TEXT")
	}
	done := errors.New("done")
	err := eachFile(ts.MkAbs(args[1]), func(path string) error {
		if !strings.Contains(path, args[2]) {
			return nil
		}
		b, err := os.ReadFile(path)
		ts.Check(err)
		if args[0] == "truncate" {
			b = b[:len(b)/2]
		} else {
			b[len(b)/2] ^= 0xff
		}
		ts.Check(os.WriteFile(path, b, 0o644))
		return done
	})
	if !errors.Is(err, done) {
		ts.Fatalf("no file below %s matches %s (%v)", args[1], args[2], err)
	}
}

// eachFile visits the files below a folder in order; a folder that is not there has none.
func eachFile(dir string, visit func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || d.IsDir():
			return err
		}
		return visit(path)
	})
}
