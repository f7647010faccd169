package feature

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxBounds bounds the buckets of a histogram.
const maxBounds = 100

// definition reads and judges the i-th feature.
func (r *catalogueReader) definition(n *yaml.Node, i int) Definition {
	o := r.object(n, r.path("features", n, i), names(definitionKeys))
	var d Definition
	d.Name, d.Description, d.Entity = r.named(o)
	d.Aggregate = Aggregate(o.choice("aggregate", texts(Aggregates())))
	o.need("window", "1h to 365d in whole hours or days, or lifetime")
	d.Window = o.window("window")
	if f := o.values["from"]; f != nil {
		d.From = r.filter(f, o.at("from"))
	}
	if d.Aggregate == "" {
		return d
	}
	x := &definitionReader{catalogueReader: r, object: o, d: &d, rule: d.Aggregate.rule()}
	x.conditional()
	return d
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}

// definitionReader reads the keys whose meaning depends on the aggregate.
type definitionReader struct {
	*catalogueReader
	object *object
	d      *Definition
	rule   rule
}

func (x *definitionReader) conditional() {
	o := x.object
	for _, key := range conditionalKeys {
		n := o.values[key]
		switch {
		case n == nil && x.rule.required(key):
			o.need(key, fmt.Sprintf("%s needs it", x.rule.aggregate))
		case n != nil && !x.rule.allows(key):
			o.add(n, o.at(key), "%s gives it no meaning: leave it out", x.rule.aggregate)
			delete(o.values, key)
		}
	}
	x.by()
	x.of()
	x.ratio()
	x.decay()
	x.d.N = o.integer("n", 1, 1000)
	x.d.Precision = o.integer("precision", 4, 14)
	if x.d.Aggregate == Distinct && o.values["precision"] == nil {
		x.d.Precision = 11
	}
}

// by reads the attribute that groups.
func (x *definitionReader) by() {
	n := x.object.values["by"]
	if n == nil {
		return
	}
	path := x.object.at("by")
	field, ok := x.scalar(n, path)
	if !ok {
		return
	}
	t, known := x.c.Type(field)
	switch {
	case x.d.Entity == Global:
		x.add(n, path, "features of global are not grouped; accepted are user and item")
	case !known:
		x.add(n, path, "%s", x.unknownField(field)).near(field, x.fields())
	case t.Kind != Text:
		x.add(n, path, "the field is %s; a text field is required", t)
	case field == string(x.d.Entity)+"_id":
		x.add(n, path, "the feature describes one %s already", x.d.Entity)
	}
	x.d.By = field
}

// of reads the operand, and the bounds whose type is the operand's.
func (x *definitionReader) of() {
	n := x.object.values["of"]
	if n == nil {
		return
	}
	path := x.object.at("of")
	field, ok := x.scalar(n, path)
	if !ok {
		return
	}
	x.d.Of = field
	if field == Interaction {
		if x.d.Aggregate != LastN {
			x.add(n, path, "only last_n takes interaction; %s takes a field that is %s", x.d.Aggregate, listed(x.rule.of))
		}
		return
	}
	t, known := x.c.Type(field)
	switch {
	case !known:
		x.add(n, path, "%s", x.unknownField(field)).near(field, append(x.fields(), Interaction))
	case !x.d.Aggregate.Accepts(t.Kind):
		x.add(n, path, "the field is %s; %s takes %s", t, x.d.Aggregate, listed(x.rule.of))
	default:
		x.bounds(t)
	}
}

func (x *definitionReader) bounds(t Type) {
	list := x.object.items("bounds")
	if n := x.object.values["bounds"]; n != nil && n.Kind == yaml.SequenceNode && (len(list) == 0 || len(list) > maxBounds) {
		x.add(n, x.object.at("bounds"), "%d bounds: 1 to %d are required", len(list), maxBounds)
		return
	}
	last := math.Inf(-1)
	for i, n := range list {
		path := fmt.Sprintf("%s[%d]", x.object.at("bounds"), i)
		s, ok := x.scalar(n, path)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(s, 64)
		f += 0 // no negative zero
		switch {
		case err != nil || !numberRule.MatchString(s):
			x.add(n, path, "a finite number is required")
		case f <= last:
			x.add(n, path, "bounds rise: more than %v is required", last)
		case t.holds(f) != nil:
			x.add(n, path, "%v", t.holds(f))
		default:
			last = f
			x.d.Bounds = append(x.d.Bounds, last)
		}
	}
}

// decay reads half_life and refuses decayed lifetimes: what is older than several half-lives counts
// next to nothing, and a lifetime has no tile whose start the terms could refer to.
func (x *definitionReader) decay() {
	x.d.HalfLife = x.object.window("half_life")
	if x.rule.required("half_life") && x.d.Window == Lifetime {
		x.add(x.object.values["window"], x.object.at("window"), "%s needs 1h to 365d; what is older than several half-lives counts next to nothing", x.d.Aggregate)
	}
}

// ratio reads the filters above and below the line.
func (x *definitionReader) ratio() {
	read := func(key string) *Filter {
		n := x.object.values[key]
		if n == nil {
			return nil
		}
		f := x.filter(n, x.object.at(key))
		if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			x.add(n, x.object.at(key), "types or where is required")
		}
		for _, t := range f.Types {
			if !x.d.Takes(t) {
				x.add(n, x.object.at(key)+".types", "it never matches %s: from takes only %s", t, strings.Join(x.d.From.Types, ", "))
			}
		}
		return &f
	}
	x.d.Numerator, x.d.Denominator = read("numerator"), read("denominator")
}

// filter reads a filter over events.
func (r *catalogueReader) filter(n *yaml.Node, path string) Filter {
	o := r.object(n, path, names(filterKeys))
	var f Filter
	for i, n := range o.items("types") {
		at := fmt.Sprintf("%s[%d]", o.at("types"), i)
		s, ok := r.scalar(n, at)
		switch {
		case !ok:
		case !typeRule.MatchString(s):
			r.add(n, at, "1 to 64 characters out of a-z, 0-9 and _ are required")
		case slices.Contains(f.Types, s):
			r.add(n, at, "the type stands here twice")
		default:
			f.Types = append(f.Types, s)
		}
	}
	slices.Sort(f.Types)
	for i, n := range o.items("where") {
		if c, ok := r.condition(n, fmt.Sprintf("%s[%d]", o.at("where"), i)); ok {
			f.Where = append(f.Where, c)
		}
	}
	return f
}
