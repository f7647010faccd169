package shop

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var end = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

func open(t testing.TB, c Config) *Shop {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func small() Config {
	return Config{Users: 300, Items: 200, Days: 3, Events: 20_000, Seed: 7, End: end.Add(7*time.Hour + 11*time.Minute)}
}

// TestGolden fails when the same seed no longer gives the same shop: published results, tests and
// event ids depend on it. Change it only on purpose, with -update.
func TestGolden(t *testing.T) {
	s := open(t, small())
	live, err := s.Live(LiveConfig{From: s.End(), Rate: 20, Run: "golden"})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	put := func(b []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(append(b, '\n'))
	}
	var got strings.Builder
	part := func(name string) {
		fmt.Fprintf(&got, "%s %s\n", name, hex.EncodeToString(sum.Sum(nil)))
		sum.Reset()
	}
	for _, i := range s.Items() {
		put(i.Encode())
	}
	part("items")
	for _, c := range s.CatalogChanges() {
		put([]byte(c.Time.String()), nil)
		put(c.Item.Encode())
	}
	part("changes")
	for _, u := range s.Profiles() {
		put(u.Encode())
	}
	part("profiles")
	for e := range s.History() {
		put(e.Encode())
	}
	part("history")
	n := 0
	for e := range live {
		put(e.Encode())
		if n++; n == 5000 {
			break
		}
	}
	part("live")

	path := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("the same seed gives another shop (-want +got):\n%s", d)
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no users":      {func(c *Config) { c.Users = 0 }, "users is 0"},
		"many items":    {func(c *Config) { c.Items = MaxItems + 1 }, "items is 1000001"},
		"negative days": {func(c *Config) { c.Days = -1 }, "days is -1"},
		"no events":     {func(c *Config) { c.Events = 0 }, "events is 0"},
		"no end":        {func(c *Config) { c.End = time.Time{} }, "end is not set"},
		"before 1970":   {func(c *Config) { c.End = time.Unix(0, 0) }, "outside 1970-01-02"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default(end)
			c.change(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error with %q", err, c.says)
			}
		})
	}
}

// TestAnyConfig holds every accepted Config to what History promises.
func TestAnyConfig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{
			Users: rapid.IntRange(1, 50).Draw(t, "users"), Items: rapid.IntRange(1, 60).Draw(t, "items"),
			Days: rapid.IntRange(1, 4).Draw(t, "days"), Events: rapid.IntRange(1, 3000).Draw(t, "events"),
			Seed: rapid.Uint64().Draw(t, "seed"), End: end.Add(time.Duration(rapid.IntRange(0, 86_400).Draw(t, "end")) * time.Second),
		}
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		from, to := event.MillisOf(s.Start()), event.MillisOf(s.End())
		seen := map[string]bool{}
		last := from
		for e := range s.History() {
			if rej := e.Check(); rej != nil {
				t.Fatalf("%+v: %v", e, rej)
			}
			if e.Time < last || e.Time >= to {
				t.Fatalf("event at %s after one at %s, end %s", e.Time, last, to)
			}
			if seen[e.ID] {
				t.Fatalf("event id %s twice", e.ID)
			}
			last, seen[e.ID] = e.Time, true
		}
		if len(seen) > c.Events+sessionMost+c.Events/50 {
			t.Errorf("%d events for %d", len(seen), c.Events)
		}
	})
}

// TestCatalogChanges replays the changes of a random stretch and compares with the catalog after it.
func TestCatalogChanges(t *testing.T) {
	s := open(t, small())
	span := int(s.End().Sub(s.Start())/time.Second) + 86_400*3
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.IntRange(0, span).Draw(t, "from")
		b := rapid.IntRange(a, span).Draw(t, "to")
		from, to := s.Start().Add(time.Duration(a)*time.Second), s.Start().Add(time.Duration(b)*time.Second)
		now := map[string]event.Item{}
		for _, i := range s.ItemsAt(from) {
			now[i.ID] = i
		}
		last := event.MillisOf(from)
		for _, c := range s.ChangesBetween(from, to) {
			if c.Time < last {
				t.Fatalf("change at %s after one at %s", c.Time, last)
			}
			if old, known := now[c.Item.ID]; known && old.Available() == c.Item.Available() {
				t.Fatalf("%s changed at %s from %v to itself", c.Item.ID, c.Time, old.Available())
			}
			last, now[c.Item.ID] = c.Time, c.Item
		}
		want := map[string]event.Item{}
		for _, i := range s.ItemsAt(to) {
			want[i.ID] = i
		}
		if d := cmp.Diff(want, now); d != "" {
			t.Error(d)
		}
	})
}

func TestRecordsAreValid(t *testing.T) {
	s := open(t, Default(end))
	categories := map[any]bool{}
	for _, i := range s.ItemsAt(s.End()) {
		if rej := i.Check(); rej != nil {
			t.Fatal(rej)
		}
		if i.Stamp() == nil || i.Stamp().Price == nil || len(i.Attributes["tags"].([]any)) == 0 {
			t.Fatalf("%v: category, price and tags are wanted", i)
		}
		categories[i.Attributes["category"]] = true
	}
	if len(categories) < 20 {
		t.Errorf("%d categories, want 20 or more", len(categories))
	}
	for _, u := range s.Profiles() {
		if rej := u.Check(); rej != nil {
			t.Fatal(rej)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	s := open(b, Default(end))
	for b.Loop() {
		n := 0
		for range s.History() {
			n++
		}
		b.ReportMetric(float64(n), "events")
	}
}
