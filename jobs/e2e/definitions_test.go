package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/event"
)

// The definitions before and after a change: one feature is gone, one is new, one has another filter.
const (
	definitionsBefore = `features:
  - {name: events_7d, entity: user, aggregate: count, window: 7d}
  - {name: likes_7d, entity: user, from: {types: [like]}, aggregate: count, window: 7d}
  - {name: only_before, entity: user, aggregate: last, of: item_id, window: lifetime}
  - {name: recent_interactions, entity: user, aggregate: last_n, of: interaction, n: 100, window: lifetime}
`
	definitionsAfter = `features:
  - {name: events_7d, entity: user, aggregate: count, window: 7d}
  - {name: likes_7d, entity: user, from: {types: [like, super_like]}, aggregate: count, window: 7d}
  - {name: only_after, entity: user, from: {types: [super_like]}, aggregate: sum, of: value, window: 30d}
  - {name: recent_interactions, entity: user, aggregate: last_n, of: interaction, n: 100, window: lifetime}
`
)

// TestDefinitionsChange changes the definitions under a running system: what was served goes on, exact,
// until a night has published a generation of the new ones, which are then exact from the first answer on;
// a rollback brings back the old ones, exact as well.
func TestDefinitionsChange(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir, address := t.TempDir(), freePort(t)
	data := filepath.Join(dir, "data")
	before, after := filepath.Join(dir, "before.yaml"), filepath.Join(dir, "after.yaml")
	for path, text := range map[string]string{before: definitionsBefore, after: definitionsAfter} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := start(t, smallShop(data, address, "--features", before)...)
	ready := first.waitReady(t, time.Minute)
	c := newClient(t, ready.URL, ready.URL)
	act := actor(ctx, t, c)
	act("like", 1)
	act("super_like", 1)
	awaitFeatures(ctx, t, c, map[string]string{"events_7d": "2", "likes_7d": "1", "only_before": `"i1"`, "only_after": ""})
	first.interrupt(t, 10*time.Second)

	second := start(t, smallShop(data, address, "--features", after)...)
	second.waitReady(t, time.Minute)
	act("super_like", 2.5)
	awaitFeatures(ctx, t, c, map[string]string{"events_7d": "3", "likes_7d": "1", "only_before": `"i1"`, "only_after": ""})
	if out := mustRun(t, "features", "diff", "current", after, "--data", data); !strings.Contains(out, "computed anew from raw data: only_after, likes_7d") {
		t.Errorf("the difference to what is served:\n%s", out)
	}
	b, err := filebucket.Open(filepath.Join(data, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	third := filepath.Join(dir, "third.yaml") // nobody keeps live state by these
	if err := os.WriteFile(third, []byte(strings.Replace(definitionsAfter, "30d", "60d", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	label := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	if _, stderr, code := run(t, "nightly", "--data", data, "--date", label, "--features", third); code != 75 || !strings.Contains(stderr, "start `anabranch stream` with the same --features") {
		t.Errorf("a night by definitions that nobody streams: exit code %d, %s", code, stderr)
	}
	closeNow(ctx, t, b, data, "--features", after)
	awaitFeatures(ctx, t, c, map[string]string{"events_7d": "3", "likes_7d": "3", "only_before": "", "only_after": "3.5"})
	act("like", 1) // in the new epoch, by both definitions
	awaitFeatures(ctx, t, c, map[string]string{"events_7d": "4", "likes_7d": "4", "only_after": "3.5"})

	mustRun(t, "generations", "rollback", "--data", data)
	awaitFeatures(ctx, t, c, map[string]string{"events_7d": "4", "likes_7d": "2", "only_before": `"i1"`, "only_after": ""})
}

// actor returns a function that sends an event of one user and one item.
func actor(ctx context.Context, t *testing.T, c *client) func(kind string, value float64) {
	n := 0
	return func(kind string, value float64) {
		t.Helper()
		n++
		e := event.Event{ID: fmt.Sprint("change-", n), UserID: "newcomer", ItemID: "i1", Type: kind, Value: &value, Time: event.MillisOf(time.Now())}
		if _, err := c.post(ctx, []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitFeatures waits until an exact answer has exactly these features; "" means that there is no such one.
func awaitFeatures(ctx context.Context, t *testing.T, c *client, want map[string]string) {
	t.Helper()
	var last features
	err := until(ctx, fmt.Sprintf("the features are %v", want), func() (bool, error) {
		f, err := c.user(ctx, "newcomer")
		if err != nil {
			return false, err
		}
		last = f
		if !f.Receipt.knows(nil) {
			return false, fmt.Errorf("receipt %+v", f.Receipt)
		}
		for name, value := range want {
			if string(f.Features[name]) != value {
				return false, fmt.Errorf("%s is %q, want %q", name, f.Features[name], value)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v; the last answer was %v by %+v", err, last.Features, last.Receipt)
	}
}
