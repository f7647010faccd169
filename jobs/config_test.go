package jobs

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// parse parses a command line with a configuration file.
func parse(t testing.TB, file string, args ...string) (cli, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anabranch.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var c cli
	parser, err := newParser(&c, Env{Stdout: io.Discard, Stderr: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"--config", path}, args...))
	return c, err
}

func TestConfigReachesFlags(t *testing.T) {
	c, err := parse(t, `
kafka: [a:1, b:2]
redis: cache:6379   # of every command
log: warn
dev:
  period: 2m
  rate: 7.5
  json: true
  redis: mine:1     # of dev only
serve:
  redis: other:1
`, "dev")
	if err != nil {
		t.Fatal(err)
	}
	d := c.Dev
	if strings.Join(d.Kafka, " ") != "a:1 b:2" || d.Redis != "mine:1" || d.Period != 2*time.Minute || d.Rate != 7.5 || !d.JSON || c.Log != "warn" {
		t.Errorf("the file is not understood: %+v", d)
	}
	if d.Partitions != 4 {
		t.Errorf("partitions = %d, expected the default", d.Partitions)
	}
}

// TestConfigKeepsTexts: YAML would make an instant of a date, a number of an id and a truth of "no".
func TestConfigKeepsTexts(t *testing.T) {
	for value, want := range map[string]string{
		"2026-01-31": "2026-01-31", "2026-01-31T10:00:00Z": "2026-01-31T10:00:00Z", "20260131": "20260131",
		"no": "no", "0x10": "0x10", `"quoted"`: "quoted", "1e3": "1e3",
	} {
		c, err := parse(t, "nightly: {date: "+value+"}", "nightly")
		if err != nil {
			t.Errorf("date: %s: %v", value, err)
			continue
		}
		if c.Nightly.Date != want {
			t.Errorf("date: %s arrives as %q, expected %q", value, c.Nightly.Date, want)
		}
	}
	c, err := parse(t, "data: ~\nredis:\n", "dev")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(c.Dev.Data) != "anabranch-data" || c.Dev.Redis != "" {
		t.Errorf("null does not leave the default: %+v", c.Dev.stores)
	}
}

// TestConfigStrength: whatever sets a flag, the strongest that does wins.
func TestConfigStrength(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sets := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"flag", "env", "section", "top"}), 0, 4, rapid.ID).Draw(rt, "sets")
		has := map[string]bool{}
		for _, s := range sets {
			has[s] = true
		}
		file, args := "log: info\n", []string{"dev"}
		if has["top"] {
			file += "redis: top\n"
		}
		if has["section"] {
			file += "dev: {redis: section}\n"
		}
		if has["flag"] {
			args = append(args, "--redis", "flag")
		}
		if has["env"] {
			t.Setenv("ANABRANCH_REDIS", "env")
		} else {
			_ = os.Unsetenv("ANABRANCH_REDIS")
		}
		want := ""
		for _, s := range []string{"top", "section", "env", "flag"} {
			if has[s] {
				want = s
			}
		}
		c, err := parse(t, file, args...)
		if err != nil {
			rt.Fatal(err)
		}
		if c.Dev.Redis != want {
			rt.Fatalf("redis = %q, expected %q of %v", c.Dev.Redis, want, sets)
		}
	})
}
