package feature_test

import (
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/feature"
)

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ yaml, says string }{
		{"features: []", "no feature"},
		{"features: [{name: a, entity: user, aggregate: count, window: 1h, colour: red}]", "colour"},
		{"features: [{name: A, entity: user, aggregate: count, window: 1h}]", "name"},
		{"features: [{name: a, entity: shop, aggregate: count, window: 1h}]", "shop"},
		{"features: [{name: a, entity: user, aggregate: median, window: 1h}]", "median"},
		{"features: [{name: a, entity: user, aggregate: count}]", "window"},
		{"features: [{name: a, entity: user, aggregate: count, window: 90s}]", "90s"},
		{"features: [{name: a, entity: user, aggregate: count, window: 366d}]", "366d"},
		{"features: [{name: a, entity: user, aggregate: count, of: item_id, window: 1h}]", "of"},
		{"features: [{name: a, entity: user, aggregate: last_n, of: interaction, window: 1h}]", "n 0"},
		{"features: [{name: a, entity: user, aggregate: decayed_count, by: category, window: 1h}]", "half_life"},
		{"features: [{name: a, entity: user, aggregate: decayed_count, by: category, half_life: 3d, window: lifetime}]", "window lifetime: decayed_count needs"},
		{"features: [{name: a, entity: user, aggregate: count, window: 1h}, {name: a, entity: user, aggregate: count, window: 2h}]", "twice"},
	} {
		if _, err := feature.Parse([]byte(c.yaml)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error naming %q", c.yaml, err, c.says)
		}
	}
}

func TestHashFollowsMeaning(t *testing.T) {
	parse := func(s string) string {
		c, err := feature.Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	a := parse("features: [{name: a, entity: user, aggregate: count, window: 24h}]")
	if b := parse("features:\n- {window: 1d, aggregate: count, entity: user, name: a} # same"); a != b {
		t.Error("the same definition, written differently, has another hash")
	}
	if b := parse("features: [{name: a, entity: user, aggregate: count, window: 25h}]"); a == b {
		t.Error("another window has the same hash")
	}
}

func TestDefaultCoversEveryAggregate(t *testing.T) {
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	used := map[feature.Aggregate]bool{}
	for _, d := range c.Features {
		used[d.Aggregate] = true
	}
	for _, a := range []feature.Aggregate{feature.Count, feature.DecayedCount, feature.Last, feature.LastN, feature.TopK} {
		if !used[a] {
			t.Errorf("the default catalogue has no %s", a)
		}
	}
}
