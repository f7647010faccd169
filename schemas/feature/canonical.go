package feature

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The canonical form is features.yaml once more, as JSON with every default written out, keys in
// declared order and lists whose order means nothing sorted. JSON of printable text is YAML, so
// whatever reads features.yaml reads it.
type (
	canonicalCatalogue struct {
		Fields   map[string]string     `json:"fields,omitempty"`
		Features []canonicalDefinition `json:"features"`
		Derived  []canonicalDerived    `json:"derived,omitempty"`
	}
	canonicalDefinition struct {
		Name        string           `json:"name"`
		Description string           `json:"description,omitempty"`
		Entity      Entity           `json:"entity"`
		By          string           `json:"by,omitempty"`
		From        *canonicalFilter `json:"from,omitempty"`
		Aggregate   Aggregate        `json:"aggregate"`
		Of          string           `json:"of,omitempty"`
		Numerator   *canonicalFilter `json:"numerator,omitempty"`
		Denominator *canonicalFilter `json:"denominator,omitempty"`
		Window      string           `json:"window"`
		HalfLife    string           `json:"half_life,omitempty"`
		N           int              `json:"n,omitzero"`
		Precision   int              `json:"precision,omitzero"`
		Bounds      []float64        `json:"bounds,omitempty"`
	}
	canonicalFilter struct {
		Types []string `json:"types,omitempty"`
		Where []string `json:"where,omitempty"`
	}
	canonicalDerived struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Entity      Entity `json:"entity"`
		Expr        string `json:"expr"`
	}
)

// Canonical returns the catalogue as JSON that ParseCanonical reads back: equal catalogues have equal
// bytes. A generation stores it.
func (c Catalogue) Canonical() []byte { return c.canonical(true) }

// ParseCanonical reads what Canonical wrote, and judges it as Parse does.
func ParseCanonical(b []byte) (Catalogue, error) { return Parse(b) }

// Hash returns the catalogue's identity as 64 hex digits: the SHA-256 of its canonical form without
// descriptions. Everything else is in it, the order of the features too, since that is the order of
// the series in a state.
func (c Catalogue) Hash() string {
	sum := sha256.Sum256(c.canonical(false))
	return hex.EncodeToString(sum[:])
}

func (c Catalogue) canonical(described bool) []byte {
	out := canonicalCatalogue{Features: []canonicalDefinition{}}
	for field, t := range c.Fields {
		if out.Fields == nil {
			out.Fields = map[string]string{}
		}
		out.Fields[field] = t.String()
	}
	for _, d := range c.Features {
		out.Features = append(out.Features, c.canonicalDefinition(d, described))
	}
	for _, d := range c.Derived {
		x := canonicalDerived{Name: d.Name, Entity: d.Entity, Expr: d.Expr}
		if described {
			x.Description = d.Description
		}
		out.Derived = append(out.Derived, x)
	}
	b, err := json.Marshal(out, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil { // texts, integers and finite numbers always encode
		panic(fmt.Sprintf("encode feature catalogue: %v", err))
	}
	return b
}

func (c Catalogue) canonicalDefinition(d Definition, described bool) canonicalDefinition {
	x := canonicalDefinition{
		Name: d.Name, Entity: d.Entity, By: d.By, From: c.canonicalFilter(&d.From),
		Aggregate: d.Aggregate, Of: d.Of,
		Numerator: c.canonicalFilter(d.Numerator), Denominator: c.canonicalFilter(d.Denominator),
		Window: d.Window.String(), N: d.N, Precision: d.Precision, Bounds: d.Bounds,
	}
	if described {
		x.Description = d.Description
	}
	if d.HalfLife != 0 {
		x.HalfLife = d.HalfLife.String()
	}
	return x
}

// canonicalFilter returns nil for a filter that takes everything.
func (c Catalogue) canonicalFilter(f *Filter) *canonicalFilter {
	if f == nil || len(f.Types)+len(f.Where) == 0 {
		return nil
	}
	x := &canonicalFilter{Types: f.Types}
	for _, w := range f.Where {
		t, known := c.Type(w.Field)
		if !known {
			t = Type{Kind: Text}
		}
		x.Where = append(x.Where, w.Format(t))
	}
	return x
}
