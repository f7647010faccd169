package sim_test

import (
	"bytes"
	"encoding/json"
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
	dir := t.TempDir()
	broken, overlay, bin := filepath.Join(dir, "broken"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim")
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{broken: m.apply(t), overlay: replaced} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-overlay", overlay, "-o", bin, "./scripts/sim")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
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
