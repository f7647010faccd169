// Package feature is the catalogue of features: what an ML engineer asks for, written once in YAML
// and compiled by every engine. docs/features.md is its manual. A definition names an entity, a
// filter over events, an aggregate and a window over event time; a derived feature is an expression
// over others:
//
//	fields:
//	  properties.seconds: integer # text | integer | decimal(2) | float | boolean | time
//	features:
//	  - name: watched_7d
//	    entity: user              # user | item | global
//	    by: category              # one value a category
//	    from: {types: [play], where: ["properties.seconds >= 30"]}
//	    aggregate: sum
//	    of: properties.seconds    # the field, where the aggregate needs one
//	    window: 7d                # 1h … 365d, or lifetime
//	derived:
//	  - {name: skip_rate, entity: user, expr: "double(skips_7d) / double(plays_7d)"}
//
// Parse validates: whatever it returns, every engine can compute. What it refuses it places by line
// and column (Problems). Canonical writes a catalogue so that ParseCanonical reads the same one; Hash
// identifies it: states and views computed from another one are never mixed with it. Diff tells what
// a change means.
package feature

import (
	_ "embed"
	"slices"
)

// Entity is what a feature describes.
type Entity string

// The entities. Global has a single member whose id is GlobalID.
const (
	User   Entity = "user"
	Item   Entity = "item"
	Global Entity = "global"
)

// GlobalID is the id of the only member of the global entity.
const GlobalID = "all"

// Filter says which events a feature is computed from: those of one of the types, for which all the
// conditions hold.
type Filter struct {
	Types []string // empty: all
	Where []Condition
}

// Definition is one feature. A key that its aggregate gives no meaning to has the zero value.
type Definition struct {
	Name        string
	Description string
	Entity      Entity
	By          string // a text field: one value for each of its values
	From        Filter
	Aggregate   Aggregate
	Of          string  // the operand: a field, or Interaction
	Numerator   *Filter // of ratio: events of From that also match it / those that match Denominator
	Denominator *Filter // nil: all of From
	Window      Window
	HalfLife    Window    // of decayed_sum and decayed_count
	N           int       // of top_k and last_n
	Precision   int       // of distinct, 4 to 14; Parse fills in 11
	Bounds      []float64 // of histogram, rising: bucket i holds Bounds[i-1] <= x < Bounds[i]
}

// Derived is a feature computed at read time from other features of its entity.
type Derived struct {
	Name        string
	Description string
	Entity      Entity
	Expr        string
}

// Catalogue is a validated list of definitions.
type Catalogue struct {
	Fields   map[string]Type // declared fields, see Type
	Features []Definition
	Derived  []Derived
}

//go:embed default.yaml
var defaultYAML []byte

//go:embed media.yaml
var mediaYAML []byte

//go:embed features.schema.json
var schemaJSON []byte

// Default returns the built-in catalogue, which suits a shop.
func Default() (Catalogue, error) { return Parse(defaultYAML) }

// Media returns a catalogue that suits video, music and news.
func Media() (Catalogue, error) { return Parse(mediaYAML) }

// JSONSchema returns the JSON Schema (draft 2020-12) of features.yaml, by which editors complete it.
func JSONSchema() []byte { return slices.Clone(schemaJSON) }

// Of returns the definitions of an entity, in catalogue order. Their order is that of the series in
// a state of the entity.
func (c Catalogue) Of(e Entity) []Definition {
	var out []Definition
	for _, f := range c.Features {
		if f.Entity == e {
			out = append(out, f)
		}
	}
	return out
}

// Takes reports whether the definition's filter takes an event of the type.
func (d Definition) Takes(eventType string) bool {
	return len(d.From.Types) == 0 || slices.Contains(d.From.Types, eventType)
}
