package feature

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, text string) Catalogue {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHashFollowsMeaning(t *testing.T) {
	const base = `
fields: {value: decimal(2), properties.device: text}
features:
- {name: a, entity: user, aggregate: distinct, of: item_id, window: 24h, from: {types: [view, cart], where: ["properties.device in [ios, web]"]}}
derived: [{name: b, entity: user, expr: a + 1}]
`
	hash := parse(t, base).Hash()
	for _, same := range []string{
		`
derived: [{expr: a + 1, entity: user, name: b, description: "one more"}]
features: # the same, written differently
  - from:
      where: ['properties.device   in ["web", ios]']
      types: [cart, view]
    description: a
    window: 1d
    precision: 11
    aggregate: distinct
    entity: user
    of: item_id
    name: a
fields:
  properties.device: text
  value: decimal(2)
`,
	} {
		if parse(t, same).Hash() != hash {
			t.Error("the same definition, written differently, has another hash")
		}
	}
	for _, replace := range [][2]string{
		{"24h", "25h"},
		{"item_id", "user_id"},
		{"[view, cart]", "[view]"},
		{"[ios, web]", "[ios]"},
		{"decimal(2)", "decimal(3)"},
		{"a + 1", "a + 2"},
		{"entity: user, aggregate", "precision: 12, entity: user, aggregate"},
		{"in [ios, web]", "== ios"},
	} {
		if other := strings.Replace(base, replace[0], replace[1], 1); parse(t, other).Hash() == hash {
			t.Errorf("with %s instead of %s the hash is the same", replace[1], replace[0])
		}
	}
}

// TestHashOfBuiltInCatalogues is golden: another hash costs every installation a rebuild of its state.
func TestHashOfBuiltInCatalogues(t *testing.T) {
	var got strings.Builder
	for _, name := range []string{"default.yaml", "media.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(name + " " + parse(t, string(b)).Hash() + "\n")
	}
	golden(t, "testdata/hashes.txt", got.String())
}

func TestCanonicalIsGolden(t *testing.T) {
	b, err := os.ReadFile("testdata/every-key.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/every-key.json", strings.ReplaceAll(string(parse(t, string(b)).Canonical()), `{"name"`, "\n{\"name\"")+"\n")
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (run with -update if this is meant): %s", file, d)
	}
}

func TestCanonicalReadsBack(t *testing.T) {
	for _, name := range []string{"default.yaml", "media.yaml", "testdata/every-key.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := parse(t, string(b))
		back, err := ParseCanonical(c.Canonical())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c, back) {
			t.Errorf("%s: %s", name, cmp.Diff(c, back))
		}
		if back.Hash() != c.Hash() {
			t.Errorf("%s: another hash", name)
		}
	}
}

// FuzzParse looks for files that crash, and for accepted ones whose canonical form is not their own.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{ // short ones: go test takes long to minimize long ones
		"fields: {price: decimal(2)}\nfeatures: [{name: a, entity: user, by: category, aggregate: sum, of: price, window: 7d}]",
		"features: [{name: a, entity: item, aggregate: histogram, of: value, bounds: [-1, 1e3], window: lifetime, description: b}]",
		"features: [{name: a, entity: user, aggregate: count, window: 1h}]\nderived: [{name: b, entity: user, expr: \"a > 1 ? a / 2 : orElse(a, 0)\"}]",
		"features: [{name: a, entity: user, aggregate: ratio, numerator: {types: [b]}, window: 1h, from: {where: [\"category in [a, 'b c']\"]}}]",
		"features: [{name: a, entity: user, aggregate: count, window: 1h, from: {where: [event_time < 2026-01-01T00:00:00.5Z]}}]",
	} {
		f.Add([]byte(seed))
	}
	f.Add([]byte("features: &a\n- *a"))
	f.Add([]byte("features:\n- {name: a, entity: user, aggregate: count, window: 1h, from: {where: [\"category == '\\u00e9\\\\''\"]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if strings.Contains(err.Error(), "\x00") {
				t.Fatalf("raw bytes in %q", err)
			}
			return
		}
		back, err := ParseCanonical(c.Canonical())
		if err != nil {
			t.Fatalf("%s: %v", c.Canonical(), err)
		}
		if !reflect.DeepEqual(c, back) {
			t.Fatal(cmp.Diff(c, back))
		}
		for _, e := range []Entity{User, Item, Global} {
			if _, err := CompileDerived(c, e); err != nil {
				t.Fatal(err)
			}
		}
	})
}
