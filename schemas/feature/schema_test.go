package feature

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write golden files")

// object is a JSON object; encoding sorts its keys.
type members = map[string]any

// described returns a schema with what a key is about.
func described(keys []key, name string, schema members) members {
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	schema["description"] = keys[i].about
	return schema
}

// mapping is the schema of an object with these keys and no others.
func mapping(keys []key, required []string, schemas members) members {
	properties := members{}
	for _, k := range keys {
		properties[k.name] = described(keys, k.name, schemas[k.name].(members))
	}
	return members{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func ref(name string) members { return members{"$ref": "#/$defs/" + name} }

// schema builds the JSON Schema from the declarations that Parse reads by.
func schema() members {
	text := func() members { return members{"type": "string"} }
	name := func() members { return members{"type": "string", "pattern": nameRule.String()} }
	entity := func() members { return members{"enum": []Entity{User, Item, Global}} }
	window := "^([1-9][0-9]*[hd]|lifetime)$"
	definition := mapping(definitionKeys, []string{"name", "entity", "aggregate", "window"}, members{
		"name": name(), "description": text(), "entity": entity(),
		"by": ref("field"), "from": ref("filter"), "of": ref("operand"),
		"aggregate": members{"oneOf": aggregates()},
		"numerator": ref("filter"), "denominator": ref("filter"),
		"window":    members{"type": "string", "pattern": window, "examples": []string{"1h", "24h", "7d", "30d", "365d", "lifetime"}},
		"half_life": members{"type": "string", "pattern": "^[1-9][0-9]*[hd]$", "examples": []string{"12h", "3d"}},
		"n":         members{"type": "integer", "minimum": 1, "maximum": 1000},
		"precision": members{"type": "integer", "minimum": 4, "maximum": 14, "default": 11},
		"bounds":    members{"type": "array", "items": members{"type": "number"}, "minItems": 1, "maxItems": maxBounds},
	})
	definition["allOf"] = conditionals()
	derived := mapping(derivedKeys, []string{"name", "entity", "expr"}, members{
		"name": name(), "description": text(), "entity": entity(), "expr": text(),
	})
	root := mapping(catalogueKeys, []string{"features"}, members{
		"fields": members{
			"type":                 "object",
			"propertyNames":        members{"anyOf": []members{{"enum": []string{"value", "price"}}, {"pattern": attributeRule.String()}}},
			"additionalProperties": members{"enum": fieldTypes()},
		},
		"features": members{"type": "array", "items": ref("feature"), "minItems": 1, "maxItems": MaxFeatures},
		"derived":  members{"type": "array", "items": ref("derived")},
	})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Anabranch feature catalogue"
	root["$defs"] = members{
		"feature": definition, "derived": derived,
		"field":   field(false),
		"operand": field(true),
		"filter": mapping(filterKeys, nil, members{
			"types": members{"type": "array", "items": members{"type": "string", "pattern": typeRule.String()}, "uniqueItems": true},
			"where": members{"type": "array", "items": members{"type": "string", "examples": []string{"value >= 4", "category in [books, games]"}}},
		}),
	}
	delete(root["$defs"].(members)["filter"].(members), "required")
	return root
}

// field is the schema of a field's name.
func field(interaction bool) members {
	enum := (&catalogueReader{}).fields()
	if interaction {
		enum = append(enum, Interaction)
	}
	return members{"anyOf": []members{{"enum": enum}, {"type": "string", "pattern": attributeRule.String()}}}
}

func fieldTypes() []string {
	var out []string
	for _, k := range kinds {
		for scale := 1; scale <= 6 && k == Decimal; scale++ {
			out = append(out, Type{k, scale}.String())
		}
		if k != Decimal {
			out = append(out, string(k))
		}
	}
	return out
}

func aggregates() []members {
	var out []members
	for _, r := range rules {
		out = append(out, members{"const": r.aggregate, "description": r.answer})
	}
	return out
}

// conditionals requires and forbids the keys whose meaning depends on the aggregate.
func conditionals() []members {
	var out []members
	for _, r := range rules {
		then := members{}
		var required []string
		for _, k := range conditionalKeys {
			if r.required(k) {
				required = append(required, k)
			}
			if !r.allows(k) {
				then[k] = false
			}
		}
		clause := members{"properties": then}
		if required != nil {
			clause["required"] = required
		}
		out = append(out, members{
			"if":   members{"properties": members{"aggregate": members{"const": r.aggregate}}, "required": []string{"aggregate"}},
			"then": clause,
		})
	}
	return out
}

func TestSchemaIsThatOfTheDeclarations(t *testing.T) {
	want, err := json.Marshal(schema(), json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("features.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(JSONSchema(), want) {
		t.Error("features.schema.json is not that of the declarations: run go test ./schemas/feature -update")
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("features.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("features.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCataloguesSatisfyTheSchema(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range []string{"default.yaml", "media.yaml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("# yaml-language-server: $schema=features.schema.json\n")) {
			t.Errorf("%s does not name its schema in the first line", name)
		}
		var doc any
		if err := yaml.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses keeps the schema from being so lax that it completes nothing.
func TestSchemaRefuses(t *testing.T) {
	s := compiledSchema(t)
	for _, text := range []string{
		`features: []`,
		`features: [{name: a, entity: user, aggregate: count}]`,
		`features: [{name: a, entity: shop, aggregate: count, window: 1h}]`,
		`features: [{name: a, entity: user, aggregate: count, of: value, window: 1h}]`,
		`features: [{name: a, entity: user, aggregate: sum, window: 1h}]`,
		`features: [{name: a, entity: user, aggregate: count, window: 1w}]`,
		`features: [{name: a, entity: user, aggregate: top_k, of: colour, n: 3, window: 1h}]`,
		`{fields: {value: decimal(9)}, features: [{name: a, entity: user, aggregate: count, window: 1h}]}`,
		`{fields: {colour: text}, features: [{name: a, entity: user, aggregate: count, window: 1h}]}`,
	} {
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if s.Validate(doc) == nil {
			t.Errorf("the schema accepts %s", text)
		}
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("Parse accepts %s", text)
		}
	}
}
