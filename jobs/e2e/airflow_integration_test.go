//go:build integration

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestIntegrationAirflow has Apache Airflow run the DAG of infra/deploy/airflow: over a real night, again when
// there is nothing to do, when a gate refuses, and when somebody else is at work.
func TestIntegrationAirflow(t *testing.T) {
	a := newAirflow(t)
	if out := a.run(t, "dags", "list-import-errors"); !strings.Contains(out, "No data found") {
		t.Fatalf("Airflow cannot read the DAG:\n%s", out)
	}
	data := t.TempDir()
	history := filepath.Join(data, "shop.csv")
	mustRun(t, "events", "generate", "--users", "40", "--items", "20", "--days", "3", "--events", "600", "--end", "2024-01-05T00:00:00Z", "--out", history)
	mustRun(t, "import", "--data", data, history)

	states := func(materialize, others string) map[string]string {
		return map[string]string{"day": "success", "materialize": materialize, "train": others, "evaluate": others, "publish": others}
	}
	a.product(t, "--data", data, "--gates", writeGates(t, "max: 1"))
	a.nightOf(t, "2024-01-05", "failed", states("failed", "upstream_failed")) // at once: it is not tried again
	a.product(t, "--data", data)
	a.nightOf(t, "2024-01-06", "success", states("success", "success"))
	a.nightOf(t, "2024-01-06", "success", states("success", "success")) // with nothing to do
	if g := currentGeneration(t, data); !strings.HasPrefix(g.ID, "g000002-") {
		t.Errorf("the generation is %s", g.ID)
	}
	wantOutput(t, mustRun(t, "runs", "list", "--data", data), "2024-01-06T00:00:00Z  done")

	if err := os.WriteFile(a.bin, []byte("#!/bin/sh\nexit 4\n"), 0o755); err != nil { // as when somebody else holds the lease
		t.Fatal(err)
	}
	a.nightOf(t, "2024-01-07", "success", states("skipped", "skipped"))
}

// writeGates writes a file with a gate on the number of rows.
func writeGates(t *testing.T, bound string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gates.yaml")
	if err := os.WriteFile(path, []byte("input:\n  - {name: volume, metric: rows, "+bound+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// airflow is an installation with the DAG and nothing else.
type airflow struct {
	python, bin string
	env         []string
}

func newAirflow(t *testing.T) *airflow {
	t.Helper()
	dags, err := filepath.Abs("../../infra/deploy/airflow")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	a := &airflow{python: need.Airflow(t), bin: filepath.Join(home, "anabranch")}
	a.env = append(os.Environ(), "AIRFLOW_HOME="+home, "AIRFLOW__CORE__DAGS_FOLDER="+dags, "AIRFLOW__CORE__LOAD_EXAMPLES=False",
		"AIRFLOW__LOGGING__COLORED_CONSOLE_LOG=False", "ANABRANCH_BIN="+a.bin, "PYTHONDONTWRITEBYTECODE=1", childVar+"=1")
	a.run(t, "db", "migrate")
	return a
}

// product makes the command that the DAG calls: this test's, with flags.
func (a *airflow) product(t *testing.T, flags ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec env %s=1 '%s' \"$@\" '%s'\n", childVar, self, strings.Join(flags, "' '"))
	if err := os.WriteFile(a.bin, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (a *airflow) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), a.python, append([]string{"-m", "airflow"}, args...)...)
	cmd.Env = a.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("airflow %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// nightOf runs the DAG once, in one process, as of ten past midnight of a day, and compares the states of the run and
// of some tasks.
func (a *airflow) nightOf(t *testing.T, day, run string, tasks map[string]string) {
	t.Helper()
	at := day + "T00:10:00+00:00"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a task that is to be retried is not waited for
	defer cancel()
	cmd := exec.CommandContext(ctx, a.python, "-m", "airflow", "dags", "test", "anabranch_nightly", at)
	cmd.Env = a.env
	log, err := cmd.CombinedOutput()
	if (err == nil) != (run == "success") {
		t.Fatalf("the run of %s: %v\n%s", day, err, log)
	}
	got := map[string]string{}
	lines := strings.Split(strings.TrimSpace(a.run(t, "tasks", "states-for-dag-run", "anabranch_nightly", at, "-o", "json")), "\n")
	var states []struct {
		Task  string `json:"task_id"`
		State string `json:"state"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &states); err != nil { // what comes before is log
		t.Fatalf("%v in %s", err, lines[len(lines)-1])
	}
	for _, s := range states {
		got[s.Task] = s.State
	}
	if diff := cmp.Diff(tasks, got); diff != "" {
		t.Errorf("the tasks of %s:\n%s\n%s", day, diff, log)
	}
}
