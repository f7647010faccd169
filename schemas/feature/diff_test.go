package feature

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `
fields: {value: decimal(2), properties.device: text}
features:
- {name: same, entity: user, aggregate: count, window: 1h}
- {name: wider, entity: user, aggregate: count, window: 7d, from: {types: [view]}}
- {name: told, entity: user, aggregate: count, window: 1d, description: one}
- {name: typed, entity: item, aggregate: sum, of: value, window: 1d}
- {name: asked, entity: item, aggregate: count, window: 1d, from: {where: [value > 1]}}
- {name: gone, entity: item, aggregate: count, window: 1d}
- {name: other, entity: item, by: category, aggregate: count, window: 1d}
derived:
- {name: d1, entity: user, expr: same + 1}
- {name: d2, entity: user, expr: same + 2}
`

const after = `
fields: {value: float, properties.device: text, properties.new: time}
features:
- {name: fresh, entity: user, aggregate: last, of: properties.new, window: 1h}
- {name: same, entity: user, aggregate: count, window: 1h}
- {name: wider, entity: user, aggregate: count, window: 30d, from: {types: [view], where: [properties.device == ios]}}
- {name: told, entity: user, aggregate: count, window: 24h, description: two}
- {name: typed, entity: item, aggregate: sum, of: value, window: 1d}
- {name: asked, entity: item, aggregate: count, window: 1d, from: {where: [value > 1]}}
- {name: other, entity: item, by: properties.device, aggregate: count, window: 1d}
derived:
- {name: d2, entity: user, expr: same + 3}
- {name: d3, entity: user, expr: same}
`

func TestDiff(t *testing.T) {
	got := Diff(parse(t, before), parse(t, after))
	want := Changes{
		Added: []string{"fresh"}, Removed: []string{"gone"},
		Changed: []Change{
			{"wider", []KeyChange{{"from.where", "", "[properties.device == ios]"}, {"window", "7d", "30d"}}, true},
			{"told", []KeyChange{{"description", "one", "two"}}, false},
			{"typed", []KeyChange{{"fields.value", "decimal(2)", "float"}}, true},
			{"asked", []KeyChange{{"fields.value", "decimal(2)", "float"}}, true},
			{"other", []KeyChange{{"by", "category", "properties.device"}}, true},
		},
		DerivedAdded: []string{"d3"}, DerivedRemoved: []string{"d1"},
		DerivedChanged: []Change{{"d2", []KeyChange{{"expr", "same + 2", "same + 3"}}, false}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, want := got.Invalidated(), []string{"fresh", "wider", "typed", "asked", "other"}; !slices.Equal(got, want) {
		t.Errorf("invalidated: %v, want %v", got, want)
	}
}

func TestDiffOfTheSameIsEmpty(t *testing.T) {
	if c := Diff(parse(t, before), parse(t, before)); !c.Empty() {
		t.Errorf("got %+v", c)
	}
}

func TestDiffTellsAnotherOrder(t *testing.T) {
	a, b := parse(t, before), parse(t, before)
	slices.Reverse(b.Features)
	if c := Diff(a, b); !c.Reordered || c.Empty() || len(c.Changed) > 0 {
		t.Errorf("got %+v", c)
	}
	if a.Hash() == b.Hash() {
		t.Error("another order has the same hash")
	}
}
