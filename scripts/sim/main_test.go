package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.txt")
	if err := os.WriteFile(broken, []byte("seed 1\nevent seed=1\ndance\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args       []string
		out, fails string
	}{
		{[]string{"-seeds", "3", "-seed", "7"}, "3 seeds from 7 in", ""},
		{[]string{"-seed", "9"}, "1 seeds from 9 in", ""},
		{[]string{"-replay", "../../jobs/sim/testdata/histories/rollback.txt"}, "steps, nothing went wrong", ""},
		{[]string{"-replay", broken}, "", `line 3: unknown step "dance"`},
		{[]string{"-replay", "missing.txt"}, "", "missing.txt"},
		{[]string{"-workers", "many"}, "", "many"},
		{[]string{"-workers", "0"}, "", "-workers"},
	} {
		var out bytes.Buffer
		err := run(c.args, &out)
		if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%v: %v, want an error with %q", c.args, err, c.fails)
		}
		if !strings.Contains(out.String(), c.out) {
			t.Errorf("%v: printed %q, want %q", c.args, out.String(), c.out)
		}
	}
}
