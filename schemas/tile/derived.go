package tile

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Derived computes the derived features of a plan's entity from the answers of a read.
type Derived struct {
	Names []string // in catalogue order
	set   *feature.DerivedSet
	index map[string]int // in Plan.Features
}

// CompileDerived compiles the derived features that belong to a plan of the catalogue.
func CompileDerived(c feature.Catalogue, p *Plan) (*Derived, error) {
	set, err := feature.CompileDerived(c, p.Entity)
	if err != nil {
		return nil, fmt.Errorf("compile catalogue for %s: %w", p.Entity, err)
	}
	d := &Derived{set: set, index: map[string]int{}}
	for _, f := range set.Formulas {
		d.Names = append(d.Names, f.Name)
	}
	for i, f := range p.Features {
		d.index[f.Def.Name] = i
	}
	return d, nil
}

// Formulas returns the compiled expressions, in the order of Names.
func (d *Derived) Formulas() []feature.Formula { return d.set.Formulas }

// Values returns the answers, in the order of Names, given those of the plan's features.
func (d *Derived) Values(of []agg.Value) []agg.Value {
	out := make([]agg.Value, len(d.set.Formulas))
	lookup := func(name string) (any, bool) {
		i, known := d.index[name]
		if !known {
			return nil, false
		}
		return &of[i], true
	}
	for i := range d.set.Formulas {
		out[i] = valueOf(d.set.Formulas[i].Eval(lookup))
	}
	return out
}

// valueOf turns the outcome of an expression into an answer.
func valueOf(x any) agg.Value {
	switch v := x.(type) {
	case int64:
		return agg.IntegerValue(v)
	case float64:
		return agg.FloatValue(v)
	case string:
		return agg.TextValue(v)
	case bool:
		return agg.BooleanValue(v)
	}
	return agg.Null
}
