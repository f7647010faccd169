package httpapi

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/serving/online"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenAnswers pins every answer's bytes and holds it to its schema in openapi.yaml.
func TestGoldenAnswers(t *testing.T) {
	spec := parseSpec(t)
	notReady := []online.Check{{Name: "generation", Required: true, Detail: "the pointer is not read yet"}, {Name: "live", OK: true}}
	for _, c := range []struct {
		file, target, schema string
		status               int
		fake                 fake
	}{
		{"recommendations", "/v1/users/u%2F1/recommendations?n=2", "Recommendations", 200, fake{}},
		{"similar", "/v1/items/i%201/similar", "SimilarItems", 200, fake{}},
		{"trending", "/v1/trending", "TrendingItems", 200, fake{}},
		{"user_features", "/v1/users/u1/features", "UserFeatures", 200, fake{}},
		{"item_features", "/v1/items/i1/features", "ItemFeatures", 200, fake{}},
		{"pulse", "/v1/pulse", "Pulse", 200, fake{}},
		{"pulse_first", "/v1/pulse", "Pulse", 200, fake{bare: true}},
		{"ready", "/readyz", "Readiness", 200, fake{checks: []online.Check{{Name: "live", OK: false, Detail: "Redis cannot be reached"}}}},
		{"not_ready", "/readyz", "Readiness", 503, fake{checks: notReady}},
		{"problem_parameter", "/v1/users/u1/recommendations?exclude_sen=true", "Problem", 400, fake{}},
		{"problem_item", "/v1/items/nothing/similar", "Problem", 404, fake{}},
		{"problem_internal", "/v1/users/broken/recommendations", "Problem", 500, fake{}},
	} {
		t.Run(c.file, func(t *testing.T) {
			w := ask(handler(t, &c.fake), http.MethodGet, c.target)
			kind := "application/json"
			if c.schema == "Problem" {
				kind = "application/problem+json"
			}
			if w.Code != c.status || w.Header().Get("Content-Type") != kind || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, headers %v", w.Code, w.Header())
			}
			spec.check(t, c.schema, w.Body.Bytes())
			golden(t, c.file+".json", w.Body.Bytes())
		})
	}
}

// golden compares JSON with a file, which holds it indented.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	pretty := jsontext.Value(bytes.TrimSpace(body))
	if err := pretty.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(pretty, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if d := cmp.Diff(string(want), string(pretty)+"\n"); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}
