package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// mutant is a bug: a text in a file of the product, and what stands there instead.
type mutant struct {
	name, why      string
	file, old, new string
}

// readMutants reads testdata/mutants: a sentence on what is broken, the file, the old text, the new one.
func readMutants(t *testing.T) []mutant {
	t.Helper()
	names, err := filepath.Glob("testdata/mutants/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no mutants: %v", err)
	}
	var all []mutant
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		why, file, found := strings.Cut(strings.TrimSpace(string(a.Comment)), "\nFile: ")
		if !found || len(a.Files) != 2 || a.Files[0].Name != "old" || a.Files[1].Name != "new" {
			t.Fatalf("%s: a sentence, a line File: PATH, and the sections old and new are required", name)
		}
		trim := func(b []byte) string { return strings.TrimSuffix(string(b), "\n") }
		all = append(all, mutant{
			strings.TrimSuffix(filepath.Base(name), ".txt"), why, file, trim(a.Files[0].Data), trim(a.Files[1].Data),
		})
	}
	return all
}

const root = "../.."

// apply returns the file with the bug in it.
func (m mutant) apply(t *testing.T) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(src, []byte(m.old)); n != 1 {
		t.Fatalf("the old text occurs %d times in %s, want once:\n%s", n, m.file, m.old)
	}
	return bytes.Replace(src, []byte(m.old), []byte(m.new), 1)
}

// build returns a simulator of a product with the bug.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "sim")
	build(t, map[string][]byte{m.file: m.apply(t)}, "-ldflags=-s -w", "-o", bin, "./scripts/sim")
	return bin
}

// build runs go build with files of the product (paths from its root) replaced.
func build(t *testing.T, files map[string][]byte, args ...string) {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	for name, data := range files {
		original, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		replace[original] = filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		if err := os.WriteFile(replace[original], data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-overlay", filepath.Join(dir, "overlay.json")}, args...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

var failedSeed = regexp.MustCompile(`seed (\d+) fails`)

// catch plays seeds against the bug until one fails.
func (m mutant) catch(t *testing.T) {
	t.Helper()
	bin := m.build(t)
	started := time.Now()
	out, err := exec.CommandContext(t.Context(), bin, "-seeds", "1000", "-trials", "0").CombinedOutput()
	found := failedSeed.FindSubmatch(out)
	if err == nil || found == nil {
		t.Fatalf("1,000 seeds did not notice: %s\n%v\n%s", m.why, err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	what := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "# ") })
	t.Logf("caught by seed %s in %.1f s: %s", found[1], time.Since(started).Seconds(), lines[max(what, 0)])
}

// quick are the mutants that a plain `go test` plays.
var quick = []string{"late-event-dropped"}

// TestMutants plays a few planted bugs, and looks whether all of them still fit the code.
func TestMutants(t *testing.T) {
	for _, m := range readMutants(t) {
		t.Run(m.name, func(t *testing.T) {
			if !slices.Contains(quick, m.name) || testing.Short() {
				m.apply(t)
				return
			}
			m.catch(t)
		})
	}
}

// TestMutantsCompile builds the packages with all bugs at once, or in as few rounds as their texts allow, so that a change of the product that a bug
// no longer fits is noticed here and not by the long test.
func TestMutantsCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles packages; run without -short")
	}
	for rest, round := readMutants(t), 1; len(rest) > 0; round++ {
		var later []mutant
		files, packages := map[string][]byte{}, map[string]bool{}
		for _, m := range rest {
			src, seen := files[m.file]
			if !seen {
				src = m.apply(t)
			} else if bytes.Count(src, []byte(m.old)) == 1 {
				src = bytes.Replace(src, []byte(m.old), []byte(m.new), 1)
			} else {
				later = append(later, m)
				continue
			}
			files[m.file], packages["./"+filepath.Dir(m.file)] = src, true
		}
		t.Logf("round %d: %d bugs in %d files", round, len(rest)-len(later), len(files))
		build(t, files, slices.Sorted(maps.Keys(packages))...)
		rest = later
	}
}
