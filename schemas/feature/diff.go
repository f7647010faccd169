package feature

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Changes is what differs between two catalogues. Lists are in catalogue order.
type Changes struct {
	Added, Removed []string // features
	Changed        []Change
	Reordered      bool // the features of both stand in another order, which is that of a state's series

	DerivedAdded, DerivedRemoved []string
	DerivedChanged               []Change // nothing stored depends on them
}

// Change is a feature that both catalogues have, with other keys.
type Change struct {
	Name string
	Keys []KeyChange
	// Invalidates is true where what is stored of the feature, live or in a generation, is not that of
	// the new definition. Another description alone changes nothing.
	Invalidates bool
}

// KeyChange is a key with another value, as features.yaml writes it ("" where the key is left out).
// A changed type of a field that the feature reads has the key fields.FIELD.
type KeyChange struct {
	Key, Old, New string
}

// Empty reports whether the catalogues are the same, descriptions included.
func (c Changes) Empty() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.DerivedAdded)+len(c.DerivedRemoved)+len(c.DerivedChanged) == 0 && !c.Reordered
}

// Invalidated returns the features of the new catalogue that nothing stored answers: added ones, and
// changed ones whose change invalidates.
func (c Changes) Invalidated() []string {
	out := slices.Clone(c.Added)
	for _, x := range c.Changed {
		if x.Invalidates {
			out = append(out, x.Name)
		}
	}
	return out
}

// Diff compares two catalogues. A renamed feature is one removed and one added.
func Diff(before, after Catalogue) Changes {
	a, b := before.entries(), after.entries()
	var c Changes
	c.Added, c.Removed, c.Changed = compare(a.features, b.features)
	c.DerivedAdded, c.DerivedRemoved, c.DerivedChanged = compare(a.derived, b.derived)
	for i := range c.DerivedChanged {
		c.DerivedChanged[i].Invalidates = false
	}
	c.Reordered = !slices.Equal(common(a.features, b.features), common(b.features, a.features))
	return c
}

// common returns the names of a list that another one has too.
func common(list, other []entry) []string {
	var out []string
	for _, e := range list {
		if find(other, e.name) >= 0 {
			out = append(out, e.name)
		}
	}
	return out
}

// entry is a feature as its keys, in their text form.
type entry struct {
	name string
	keys map[string]string
}

type entries struct {
	features, derived []entry
}

// entries returns the catalogue's features by key, those of nested filters as from.where and the like.
func (c Catalogue) entries() entries {
	var out entries
	for _, d := range c.Features {
		e := entry{d.Name, flat(c.canonicalDefinition(d, true))}
		for _, field := range d.fields() {
			if t, known := c.Type(field); known {
				e.keys["fields."+field] = t.String()
			}
		}
		out.features = append(out.features, e)
	}
	for _, d := range c.Derived {
		out.derived = append(out.derived, entry{d.Name, flat(canonicalDerived(d))})
	}
	return out
}

// fields returns the fields that a definition reads.
func (d Definition) fields() []string {
	out := []string{d.By, d.Of}
	for _, f := range []*Filter{&d.From, d.Numerator, d.Denominator} {
		if f != nil {
			for _, w := range f.Where {
				out = append(out, w.Field)
			}
		}
	}
	return out
}

func find(list []entry, name string) int {
	return slices.IndexFunc(list, func(e entry) bool { return e.name == name })
}

func compare(before, after []entry) (added, removed []string, changed []Change) {
	for _, e := range before {
		if find(after, e.name) < 0 {
			removed = append(removed, e.name)
		}
	}
	for _, e := range after {
		i := find(before, e.name)
		if i < 0 {
			added = append(added, e.name)
			continue
		}
		if x := changeOf(before[i], e); len(x.Keys) > 0 {
			changed = append(changed, x)
		}
	}
	return added, removed, changed
}

func changeOf(before, after entry) Change {
	x := Change{Name: after.name}
	all := maps.Clone(before.keys)
	maps.Copy(all, after.keys)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, is := before.keys[key], after.keys[key]
		if strings.HasPrefix(key, "fields.") && (was == "" || is == "") {
			continue // only one of both reads the field: the key that names it tells so
		}
		if was != is {
			x.Keys = append(x.Keys, KeyChange{key, was, is})
			x.Invalidates = x.Invalidates || key != "description"
		}
	}
	return x
}

// flat returns the keys of a canonical definition as texts.
func flat(canonical any) map[string]string {
	b, err := json.Marshal(canonical)
	var tree map[string]any
	if err == nil {
		err = json.Unmarshal(b, &tree)
	}
	if err != nil { // as in Catalogue.canonical
		panic(fmt.Sprintf("flatten a definition: %v", err))
	}
	out := map[string]string{}
	flatten(out, "", tree)
	return out
}

func flatten(out map[string]string, prefix string, tree map[string]any) {
	for key, v := range tree {
		switch x := v.(type) {
		case map[string]any:
			flatten(out, prefix+key+".", x)
		case []any:
			var items []string
			for _, i := range x {
				items = append(items, fmt.Sprint(i))
			}
			out[prefix+key] = "[" + strings.Join(items, ", ") + "]"
		default:
			out[prefix+key] = fmt.Sprint(x)
		}
	}
}
