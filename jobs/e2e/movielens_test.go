package e2e_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/scripts/testenv/need"
)

// TestMovieLens does what the README shows: import, nightly, and recommendations over MovieLens-100K.
func TestMovieLens(t *testing.T) {
	source := need.Data(t, "ml-100k")
	data, address := t.TempDir(), freePort(t)
	events, items, users := filepath.Join(source, "u.data"), filepath.Join(source, "u.item"), filepath.Join(source, "u.user")
	importing := []string{"import", "--data", data, "--items", items, "--users", users, events}
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)

	wantOutput(t, mustRun(t, importing...), "100000 rows of 213 days imported, 0 skipped")
	wantOutput(t, mustRun(t, importing...), "nothing to do")
	night := mustRun(t, "nightly", "--data", data, "--date", yesterday)
	wantOutput(t, night, "100000 events of 943 users and 1682 items")
	wantOutput(t, mustRun(t, "nightly", "--data", data, "--date", yesterday), "nothing to do")
	wantOutput(t, mustRun(t, importing...), "nothing to do")
	g := currentGeneration(t, data)
	if want := (model.Counts{Rows: 100_000, Events: 100_000, Users: 943, Items: 1682}); g.Counts != want {
		t.Errorf("generation %s counts %+v, want %+v", g.ID, g.Counts, want)
	}
	if hr, popular := g.Metrics["hr20"], g.Metrics["popularity_hr20"]; hr <= popular || popular <= 0 {
		t.Errorf("HR@20 is %.3f, that of popularity %.3f", hr, popular)
	}
	t.Logf("%s", night)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start(t, "dev", "--json", "--data", data, "--listen", address, "--events", events, "--items", items, "--users", users).waitReady(t, time.Minute)
	c := newClient(t, "http://"+address, "http://"+address)
	seen := map[string]map[string]bool{}
	for _, e := range readEvents(t, events) {
		if seen[e.UserID] == nil {
			seen[e.UserID] = map[string]bool{}
		}
		seen[e.UserID][e.ItemID] = true
	}
	for _, user := range []string{"1", "42", "196", "405", "943"} {
		list, err := c.recommend(ctx, user, 20)
		if err != nil {
			t.Fatal(err)
		}
		if list.Vector == "none" {
			t.Errorf("user %s got no personal list", user)
		}
		checkMovies(t, user, list, g.ID, seen[user])
	}
	list, err := c.recommend(ctx, "nobody", 20)
	if err != nil {
		t.Fatal(err)
	}
	checkMovies(t, "nobody", list, g.ID, nil)
	if source := list.Items[0].Source; list.Vector != "none" || source != "trending" && source != "popular" {
		t.Errorf("somebody unseen got vector %s and a first item from %s", list.Vector, source)
	}
}

func wantOutput(t *testing.T, output, want string) {
	t.Helper()
	if !strings.Contains(output, want) {
		t.Errorf("printed:\n%swant %q in it", output, want)
	}
}

// checkMovies verifies a list of 20: nothing seen, every title there, the generation named.
func checkMovies(t *testing.T, user string, list recommendations, generation string, seen map[string]bool) {
	t.Helper()
	if len(list.Items) != 20 || list.Receipt.Generation != generation {
		t.Errorf("user %s got %d items of generation %q, want 20 of %s", user, len(list.Items), list.Receipt.Generation, generation)
	}
	for _, i := range list.Items {
		if seen[i.ItemID] {
			t.Errorf("user %s has seen %s", user, i.ItemID)
		}
		if i.Attributes.Title == "" {
			t.Errorf("item %s of user %s has no title", i.ItemID, user)
		}
	}
}

// generation is a line of `generations list --json`.
type generation struct {
	ID      string             `json:"id"`
	Counts  model.Counts       `json:"counts"`
	Metrics map[string]float64 `json:"metrics"`
	Current bool               `json:"current"`
}

// currentGeneration asks the command line.
func currentGeneration(t *testing.T, data string, flags ...string) generation {
	t.Helper()
	out := mustRun(t, append([]string{"generations", "list", "--json", "--data", data}, flags...)...)
	for line := range strings.Lines(out) {
		var g generation
		if err := json.Unmarshal([]byte(line), &g); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if g.Current {
			return g
		}
	}
	t.Fatalf("no generation is current:\n%s", out)
	return generation{}
}
