package feature

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// attributeRule is a field that has to be declared.
var attributeRule = regexp.MustCompile(`^(properties|context)\.[A-Za-z0-9_.\-]{1,64}$`)

// readFields reads the declarations of `fields`.
func (r *catalogueReader) readFields(n *yaml.Node) {
	if n == nil {
		return
	}
	o := r.object(n, "fields", nil)
	for _, field := range slices.Sorted(maps.Keys(o.values)) {
		at := o.values[field]
		path := "fields." + clip(field)
		s, ok := r.scalar(at, path)
		if !ok {
			continue
		}
		t, err := ParseType(s)
		if err != nil {
			_, accepted, _ := strings.Cut(err.Error(), ": ")
			r.add(at, path, "%s", accepted).near(s, typeNames)
			continue
		}
		if refusal := declarable(field, t); refusal != "" {
			p := r.add(at, path, "%s", refusal)
			if _, own := builtIn[field]; !own {
				key := o.keys[field]
				p.Line, p.Column, p.Value = key.Line, key.Column, clip(field)
				p.near(field, []string{"value", "price"})
			}
			continue
		}
		r.c.Fields[field] = t
	}
	if len(r.c.Fields) > MaxFeatures {
		r.add(n, "fields", "%d fields: at most %d are accepted", len(r.c.Fields), MaxFeatures)
	}
}

var typeNames = []string{"text", "integer", "decimal(2)", "float", "boolean", "time"}

// declarable says why a field cannot be declared with a type, or "".
func declarable(field string, t Type) string {
	_, own := builtIn[field]
	switch {
	case field == "value" || field == "price":
		if t.Kind != Integer && t.Kind != Decimal && t.Kind != Float {
			return field + " is a number: accepted are integer, decimal(1) to decimal(6) and float"
		}
	case own:
		return fmt.Sprintf("%s is built in as %s and cannot be declared", field, builtIn[field])
	case !attributeRule.MatchString(field):
		return "only value, price, properties.NAME and context.NAME can be declared; NAME is 1 to 64 of a-z, A-Z, 0-9, _, . and -"
	case strings.HasPrefix(field, "context.") && t.Kind != Text:
		return "context is always text"
	}
	return ""
}

// fields returns the fields that there are: built in and declared.
func (r *catalogueReader) fields() []string {
	all := maps.Clone(builtIn)
	maps.Copy(all, r.c.Fields)
	return slices.Sorted(maps.Keys(all))
}

// unknownField says what a field that is unknown would need.
func (r *catalogueReader) unknownField(field string) string {
	if attributeRule.MatchString(field) {
		return fmt.Sprintf("field %s is not declared: write %s and its type under fields", field, field)
	}
	return fmt.Sprintf("field %s is unknown; there are %s", clip(field), listed(r.fields()))
}
