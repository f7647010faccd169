package feature

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRefused runs testdata/refused.txt: files, each followed by => and what is said about it. With
// -update what is said is written; read the difference.
func TestRefused(t *testing.T) {
	const file, between, says = "testdata/refused.txt", "\n----\n", "\n=>\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range strings.Split(strings.TrimSuffix(string(b), "\n"), between) {
		text, _, _ := strings.Cut(c, says)
		_, err := Parse([]byte(text))
		var p *Problems
		if !errors.As(err, &p) {
			t.Errorf("got %v for\n%s", err, text)
			continue
		}
		out = append(out, text+says+p.Error())
	}
	golden(t, file, strings.Join(out, between)+"\n")
}

func TestAtMostTwentyProblemsAreReported(t *testing.T) {
	_, err := Parse([]byte("features:\n" + strings.Repeat("- {name: A, entity: user, aggregate: count, window: 1h}\n", 33)))
	var p *Problems
	if !errors.As(err, &p) || len(p.List) != MaxProblems || p.More != 13 || !strings.HasSuffix(err.Error(), "\nand 13 more") {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	features := func(n int) string {
		var b strings.Builder
		b.WriteString("features:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {name: f%d, entity: user, aggregate: count, window: 1h}\n", i)
		}
		return b.String()
	}
	parse(t, features(MaxFeatures))
	parse(t, features(MaxFeatures-1)+"derived: [{name: d, entity: user, expr: f1 + f2}]")
	for text, want := range map[string]string{
		features(MaxFeatures + 1): "1001 features: at most 1000 are accepted",
		features(MaxFeatures) + "derived: [{name: d, entity: user, expr: f1}]": "1001 features",
		strings.Repeat("#", maxBytes+1):                                        "at most 4194304 are accepted",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestDefaultCatalogue(t *testing.T) {
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if users, items := len(c.Of(User)), len(c.Of(Item)); users < 30 || items < 12 {
		t.Errorf("%d user and %d item features, at least 30 and 12 are promised", users, items)
	}
	for _, e := range []Entity{User, Item} {
		used := map[Aggregate]bool{}
		for _, d := range c.Of(e) {
			used[d.Aggregate] = true
		}
		for _, a := range Aggregates() {
			if !used[a] {
				t.Errorf("no %s feature is a %s", e, a)
			}
		}
	}
	for _, name := range []string{
		"events_1h", "events_24h", "events_7d", "views_1h", "views_24h", "views_7d", "purchases_7d", "last_item",
		"category_affinity", "recent_interactions", "item_events_1h", "item_events_24h", "item_events_7d",
		"item_purchases_7d", "trending_24h",
	} {
		if !strings.Contains(string(c.Canonical()), `"`+name+`"`) {
			t.Errorf("%s, which is read elsewhere, is gone", name)
		}
	}
}

func TestMediaCatalogue(t *testing.T) {
	c, err := Media()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Of(User)) == 0 || len(c.Of(Item)) == 0 || len(c.Of(Global)) == 0 || len(c.Derived) == 0 {
		t.Error("an entity has no feature")
	}
}

func TestWindowTiles(t *testing.T) {
	for text, want := range map[string]Window{
		"1h": 5 * Minute, "6h": 5 * Minute, "7h": Hour, "2d": Hour, "48h": Hour, "49h": Day, "365d": Day, "lifetime": 0,
	} {
		w, err := ParseWindow(text)
		if err != nil || w.Tile() != int64(want) {
			t.Errorf("tile of %s: %d, %v, want %d", text, w.Tile(), err, want)
		}
	}
}
