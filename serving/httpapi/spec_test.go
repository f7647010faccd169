package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/api"
)

// spec is openapi.yaml.
type spec struct{ root map[string]any }

func parseSpec(t *testing.T) spec {
	t.Helper()
	var s spec
	if err := yaml.Unmarshal([]byte(api.OpenAPI()), &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// at follows a path of members, each of which must be there.
func (s spec) at(t *testing.T, path ...string) map[string]any {
	t.Helper()
	node := s.root
	for _, name := range path {
		next, ok := node[name].(map[string]any)
		if !ok {
			t.Fatalf("openapi.yaml has no %s", strings.Join(path, "/"))
		}
		node = next
	}
	return node
}

// resolve follows a reference.
func (s spec) resolve(t *testing.T, node map[string]any) map[string]any {
	t.Helper()
	if ref, ok := node["$ref"].(string); ok {
		return s.at(t, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return node
}

// TestRoutesAreSpecified holds routes and their parameters against openapi.yaml, both ways.
func TestRoutesAreSpecified(t *testing.T) {
	s := parseSpec(t)
	inSpec := map[string][]string{}
	for path := range s.at(t, "paths") {
		for method := range s.at(t, "paths", path) {
			parameters := []string{}
			list, _ := s.at(t, "paths", path, method)["parameters"].([]any)
			for _, p := range list {
				if p := s.resolve(t, p.(map[string]any)); p["in"] == "query" {
					parameters = append(parameters, p["name"].(string))
				}
			}
			slices.Sort(parameters)
			inSpec[strings.ToUpper(method)+" "+path] = parameters
		}
	}
	inMux := map[string][]string{}
	said := http.NotFoundHandler()
	h := &handlers{Options{Service: &fake{}, Ingest: said, Console: said}}
	for _, r := range h.routes() {
		parameters := append([]string{}, r.parameters...)
		slices.Sort(parameters)
		inMux[strings.TrimSuffix(r.pattern, "{$}")] = parameters
	}
	if d := cmp.Diff(inSpec, inMux); d != "" {
		t.Errorf("routes with their query parameters (-openapi.yaml +mux):\n%s", d)
	}
}

// TestSpecIsWhole finds what a misplaced comma or a stale reference leaves behind.
func TestSpecIsWhole(t *testing.T) {
	s := parseSpec(t)
	var walk func(node any, path string)
	walk = func(node any, path string) {
		switch x := node.(type) {
		case nil:
			t.Errorf("%s is empty", path)
		case map[string]any:
			s.resolve(t, x)
			for name, e := range x {
				walk(e, path+"/"+name)
			}
		case []any:
			for i, e := range x {
				walk(e, fmt.Sprintf("%s/%d", path, i))
			}
		}
	}
	walk(s.root, "openapi.yaml")
}

// check holds a JSON text to a schema of openapi.yaml. It knows the keywords that the file uses.
func (s spec) check(t *testing.T, schema string, body []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := s.match(t, v, map[string]any{"$ref": "#/components/schemas/" + schema}, schema); err != nil {
		t.Errorf("the answer is not what openapi.yaml says: %v", err)
	}
}

func (s spec) match(t *testing.T, v any, schema map[string]any, path string) error {
	t.Helper()
	schema = s.resolve(t, schema)
	if choices, ok := schema["oneOf"].([]any); ok {
		for _, c := range choices {
			if s.match(t, v, c.(map[string]any), path) == nil {
				return nil
			}
		}
		return fmt.Errorf("%s: %v is none of the choices", path, v)
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Errorf("%s: %v is not one of %v", path, v, enum)
	}
	if err := matchType(v, schema["type"], path); err != nil {
		return err
	}
	switch x := v.(type) {
	case map[string]any:
		return s.matchObject(t, x, schema, path)
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, e := range x {
			if err := s.match(t, e, items, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s spec) matchObject(t *testing.T, x, schema map[string]any, path string) error {
	t.Helper()
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := x[name.(string)]; !ok {
			return fmt.Errorf("%s has no %s", path, name)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, e := range x {
		property, ok := properties[name].(map[string]any)
		if !ok {
			if schema["additionalProperties"] == true {
				continue
			}
			if property, ok = schema["additionalProperties"].(map[string]any); !ok {
				return fmt.Errorf("%s.%s is not described", path, name)
			}
		}
		if err := s.match(t, e, property, path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func matchType(v, accepted any, path string) error {
	types, ok := accepted.([]any)
	if !ok {
		types = []any{accepted}
	}
	is := map[string]bool{}
	switch x := v.(type) {
	case nil:
		is["null"] = true
	case bool:
		is["boolean"] = true
	case string:
		is["string"] = true
	case float64:
		is["number"], is["integer"] = true, x == float64(int64(x))
	case []any:
		is["array"] = true
	case map[string]any:
		is["object"] = true
	}
	for _, a := range types {
		if a == nil || is[a.(string)] {
			return nil
		}
	}
	return fmt.Errorf("%s: %v is not of type %v", path, v, accepted)
}
