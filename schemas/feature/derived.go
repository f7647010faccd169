package feature

import (
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/feature/expr"
)

// Answer returns the type of a feature's answer where expressions may use it: one number or text. It
// returns false for top_k, last_n, histogram and grouped features, and for an unknown field.
// Integers, booleans (0 or 1) and times (Unix ms) are ints; decimals are doubles.
func (c Catalogue) Answer(d Definition) (expr.Type, bool) {
	if d.By != "" {
		return "", false
	}
	switch d.Aggregate {
	case Count, Distinct:
		return expr.Int, true
	case Mean, Ratio, DecayedSum, DecayedCount:
		return expr.Double, true
	case Sum, Min, Max, First, Last:
		t, ok := c.Type(d.Of)
		return answerOf(t), ok
	}
	return "", false
}

func answerOf(t Type) expr.Type {
	switch t.Kind {
	case Text:
		return expr.Text
	case Decimal, Float:
		return expr.Double
	}
	return expr.Int
}

// Formula is a compiled derived feature.
type Formula struct {
	Derived
	Tree *expr.Expr // checked; Tree.Type is the type of the answer
}

// Eval computes the feature from the answers of the entity's features, see expr.Expr.Eval.
func (f *Formula) Eval(values func(name string) (any, bool)) any { return f.Tree.Eval(values) }

// DerivedSet is the compiled derived features of one entity. It may be used by many goroutines.
type DerivedSet struct {
	Formulas []Formula // in catalogue order
}

// Get returns the formula of a name.
func (s *DerivedSet) Get(name string) (*Formula, bool) {
	for i := range s.Formulas {
		if s.Formulas[i].Name == name {
			return &s.Formulas[i], true
		}
	}
	return nil, false
}

// CompileDerived compiles the derived features of an entity. It fails for none of a catalogue that
// Parse returned.
func CompileDerived(c Catalogue, e Entity) (*DerivedSet, error) {
	set := &DerivedSet{}
	var compiler *expr.Compiler
	for _, d := range c.Derived {
		if d.Entity != e {
			continue
		}
		if compiler == nil {
			var err error
			if compiler, err = expr.NewCompiler(c.answers(e)); err != nil {
				return nil, fmt.Errorf("derived features of %s: %w", e, err)
			}
		}
		tree, errs := compiler.Compile(d.Expr)
		if len(errs) > 0 {
			return nil, fmt.Errorf("derived feature %q, %q: %w", d.Name, d.Expr, errs[0])
		}
		set.Formulas = append(set.Formulas, Formula{Derived: d, Tree: tree})
	}
	return set, nil
}

// answers returns what expressions of an entity may speak of.
func (c Catalogue) answers(e Entity) map[string]expr.Type {
	out := map[string]expr.Type{}
	for _, d := range c.Of(e) {
		if t, ok := c.Answer(d); ok {
			out[d.Name] = t
		}
	}
	return out
}

// readDerived reads and judges the derived features, after the features.
func (r *catalogueReader) readDerived(list []*yaml.Node) {
	compilers := map[Entity]*expr.Compiler{}
	for i, n := range list {
		o := r.object(n, r.path("derived", n, i), names(derivedKeys))
		var d Derived
		d.Name, d.Description, d.Entity = r.named(o)
		at := o.need("expr", "an expression over the entity's features")
		d.Expr = o.text("expr")
		r.c.Derived = append(r.c.Derived, d)
		if d.Entity == "" || at == nil || at.Kind != yaml.ScalarNode {
			continue
		}
		if compilers[d.Entity] == nil {
			compiler, err := expr.NewCompiler(r.c.answers(d.Entity))
			if err != nil {
				r.add(at, o.at("expr"), "%v", err)
				return
			}
			compilers[d.Entity] = compiler
		}
		r.judge(compilers[d.Entity], d, at, o.at("expr"))
	}
}

// judge reports what is wrong with an expression, at its place inside the text.
func (r *catalogueReader) judge(compiler *expr.Compiler, d Derived, at *yaml.Node, path string) {
	_, errs := compiler.Compile(d.Expr)
	usable := slices.Sorted(maps.Keys(r.c.answers(d.Entity)))
	for _, e := range errs {
		message := e.Message
		if e.Name != "" {
			message = r.unusable(e.Name, d.Entity)
		}
		p := r.add(at, path, "%s", message)
		r.within(p, at, e.Line, e.Column)
		if e.Name == "" {
			continue
		}
		p.Value = clip(e.Name)
		if _, other := r.names[e.Name]; !other {
			p.near(e.Name, usable)
		}
	}
}

// unusable says why an expression of an entity cannot speak of a name.
func (r *catalogueReader) unusable(name string, e Entity) string {
	for _, d := range r.c.Features {
		switch {
		case d.Name != name:
		case d.Entity != e:
			return fmt.Sprintf("it is a feature of %s; an expression reads features of its own entity", d.Entity)
		case d.By != "":
			return "a grouped feature has many answers; expressions read one number or text"
		default:
			return fmt.Sprintf("the answer of %s is no number or text; expressions read one number or text", d.Aggregate)
		}
	}
	for _, d := range r.c.Derived {
		if d.Name == name {
			return "it is derived itself; expressions read features only, so that there is no order and no cycle among them"
		}
	}
	return fmt.Sprintf("%s has no feature of this name", e)
}
