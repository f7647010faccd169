package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// known are the suites of these tests.
func known() []suite {
	return []suite{
		{"good", "two values", func(_ context.Context, out *report) error {
			out.add("latency", .0125, "s", map[string]any{"users": 100, "cold": true})
			out.add("rate", 1234567, "events/s", nil)
			return nil
		}},
		{"bad", "one value, then an error", func(_ context.Context, out *report) error {
			out.add("half", 1, "1", nil)
			return errors.New("the server went away")
		}},
	}
}

func TestRunWritesTableAndJSONLines(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.jsonl")
	var stdout bytes.Buffer
	for range 2 {
		if code, err := run(t.Context(), []string{"-suite", "good", "-json", file}, known(), &stdout); code != 0 || err != nil {
			t.Fatalf("run: %d, %v", code, err)
		}
	}
	for _, want := range []string{"0.0125", "cold=true users=100", "events/s"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout.String())
		}
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	once := `{"suite":"good","name":"latency","value":0.0125,"unit":"s","params":{"cold":true,"users":100}}
{"suite":"good","name":"rate","value":1234567,"unit":"events/s","params":{}}
`
	if diff := cmp.Diff(once+once, string(lines)); diff != "" {
		t.Errorf("JSON lines of two runs (-want +got):\n%s", diff)
	}
}

func TestRunReportsWhatItHasBeforeAnError(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	code, err := run(t.Context(), []string{"-suite", "bad"}, known(), &stdout)
	if code != exitError || err == nil || !strings.Contains(stdout.String(), "half") {
		t.Errorf("code %d, error %v, printed:\n%s", code, err, stdout.String())
	}
}

func TestRunListsSuites(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	if code, err := run(t.Context(), nil, known(), &stdout); code != 0 || err != nil || !strings.Contains(stdout.String(), "two values") {
		t.Errorf("without a suite: %d, %v, %q", code, err, stdout.String())
	}
	for _, args := range [][]string{{"-suite", "fast"}, {"-suit", "good"}, {"good"}} {
		if code, err := run(t.Context(), args, known(), &stdout); code != exitUsage || err == nil {
			t.Errorf("%v: %d, %v; want a usage error", args, code, err)
		}
	}
}

// TestMachine runs the real suite: every value is positive, so every probe did its work.
func TestMachine(t *testing.T) {
	t.Parallel()
	out := &report{suite: "machine"}
	if err := runMachine(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if len(out.results) == 0 {
		t.Fatal("no results")
	}
	for _, r := range out.results {
		if r.Value <= 0 {
			t.Errorf("%s: %v %s", r.Name, r.Value, r.Unit)
		}
	}
}
