// Package feature is the catalogue of features: what an ML engineer asks for, written once in YAML
// and compiled by every engine. A definition names an entity, a filter over events, an aggregate
// and a window over event time:
//
//	features:
//	  - name: views_7d
//	    entity: user              # user | item | global
//	    from: {types: [view]}     # no types: every event
//	    aggregate: count          # count | decayed_count | last | last_n | top_k
//	    of: item_id               # the field, where the aggregate needs one
//	    by: category              # one value a category (decayed_count only)
//	    window: 7d                # 1h … 365d, or lifetime (not for decayed_count)
//
// Hash identifies a catalogue: states and views computed from another one are never mixed with it.
package feature

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"gopkg.in/yaml.v3"
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
	Types []string    `yaml:"types" json:"types,omitempty"` // empty: all
	Where []Condition `yaml:"-" json:"where,omitempty"`
}

// Definition is one feature. A key that its aggregate gives no meaning to has the zero value.
type Definition struct {
	Name        string    `yaml:"name" json:"name"`
	Description string    `yaml:"description" json:"-"`
	Entity      Entity    `yaml:"entity" json:"entity"`
	By          string    `yaml:"by" json:"by,omitempty"` // a text field: one value for each of its values
	From        Filter    `yaml:"from" json:"from"`
	Aggregate   Aggregate `yaml:"aggregate" json:"aggregate"`
	Of          string    `yaml:"of" json:"of,omitempty"` // the operand: a field, or Interaction
	Numerator   *Filter   `yaml:"-" json:"numerator,omitempty"`
	Denominator *Filter   `yaml:"-" json:"denominator,omitempty"` // nil: all of From
	Window      Window    `yaml:"window" json:"window"`
	HalfLife    Window    `yaml:"half_life" json:"half_life,omitzero"`
	N           int       `yaml:"n" json:"n,omitempty"`
	Precision   int       `yaml:"-" json:"precision,omitempty"` // of distinct, 4 to 14; Parse fills in 11
	Bounds      []float64 `yaml:"-" json:"bounds,omitempty"`    // of histogram, rising
}

// Derived is a feature computed at read time from other features of its entity.
type Derived struct {
	Name        string `json:"name"`
	Description string `json:"-"`
	Entity      Entity `json:"entity"`
	Expr        string `json:"expr"`
}

// Catalogue is a validated list of definitions.
type Catalogue struct {
	Fields   map[string]Type `yaml:"-" json:"fields,omitempty"` // declared fields, see Type
	Features []Definition    `yaml:"features" json:"features"`
	Derived  []Derived       `yaml:"-" json:"derived,omitempty"`
}

//go:embed default.yaml
var defaultYAML []byte

// Default returns the built-in catalogue.
func Default() (Catalogue, error) { return Parse(defaultYAML) }

// Parse reads and validates a catalogue. Unknown keys are errors.
func Parse(b []byte) (Catalogue, error) {
	d := yaml.NewDecoder(strings.NewReader(string(b)))
	d.KnownFields(true)
	var c Catalogue
	if err := d.Decode(&c); err != nil {
		return Catalogue{}, fmt.Errorf("read feature catalogue: %w", err)
	}
	if len(c.Features) == 0 {
		return Catalogue{}, fmt.Errorf("read feature catalogue: it defines no feature")
	}
	seen := map[string]bool{}
	for _, f := range c.Features {
		if err := f.check(); err != nil {
			return Catalogue{}, fmt.Errorf("feature %q: %w", f.Name, err)
		}
		if seen[f.Name] {
			return Catalogue{}, fmt.Errorf("feature %q is defined twice", f.Name)
		}
		seen[f.Name] = true
	}
	return c, nil
}

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

// Hash returns the catalogue's identity as 64 hex digits.
func (c Catalogue) Hash() string {
	b, err := json.Marshal(c, json.Deterministic(true))
	if err != nil { // a struct of texts and integers always encodes
		panic(fmt.Sprintf("encode feature catalogue: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

var nameRule = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func (d Definition) check() error {
	if !nameRule.MatchString(d.Name) {
		return fmt.Errorf("name: accepted are 1 to 64 characters out of a-z, 0-9 and _, starting with a letter")
	}
	if !slices.Contains([]Entity{User, Item, Global}, d.Entity) {
		return fmt.Errorf("entity %q: accepted are user, item and global", d.Entity)
	}
	if d.Window == 0 {
		return fmt.Errorf("window is required: 1h to 365d, or lifetime")
	}
	switch d.Aggregate {
	case Count:
		return d.only(false, false, false)
	case DecayedCount:
		if d.HalfLife <= 0 || d.HalfLife == Lifetime {
			return fmt.Errorf("half_life is required for decayed_count, such as 3d")
		}
		if d.Window == Lifetime {
			return fmt.Errorf("window lifetime: decayed_count needs 1h to 365d; what is older than several half-lives counts next to nothing")
		}
		if d.By != "category" {
			return fmt.Errorf("by %q: decayed_count is grouped by category", d.By)
		}
		return d.only(false, true, false)
	case Last:
		if d.Of != "item_id" {
			return fmt.Errorf("of %q: last is of item_id", d.Of)
		}
		return d.only(true, false, false)
	case LastN:
		if d.Of != "interaction" {
			return fmt.Errorf("of %q: last_n is of interaction", d.Of)
		}
		return d.only(true, false, true)
	case TopK:
		if d.Of != "item_id" {
			return fmt.Errorf("of %q: top_k is of item_id", d.Of)
		}
		return d.only(true, false, true)
	}
	return fmt.Errorf("aggregate %q: accepted are count, decayed_count, last, last_n and top_k", d.Aggregate)
}

// only refuses keys that the aggregate gives no meaning to.
func (d Definition) only(of, decayed, n bool) error {
	switch {
	case !of && d.Of != "":
		return fmt.Errorf("of: %s takes no field", d.Aggregate)
	case !decayed && d.HalfLife != 0:
		return fmt.Errorf("half_life: %s does not decay", d.Aggregate)
	case !decayed && d.By != "":
		return fmt.Errorf("by: %s is not grouped", d.Aggregate)
	case n && (d.N < 1 || d.N > 1000):
		return fmt.Errorf("n %d: %s needs 1 to 1000", d.N, d.Aggregate)
	case !n && d.N != 0:
		return fmt.Errorf("n: %s takes none", d.Aggregate)
	}
	return nil
}

// Takes reports whether the definition's filter takes an event of the type.
func (d Definition) Takes(eventType string) bool {
	return len(d.From.Types) == 0 || slices.Contains(d.From.Types, eventType)
}
