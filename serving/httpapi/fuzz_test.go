package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/infra/problem"
)

// FuzzRequest sends any id and any query to every route that takes an id. Nothing may be a defect, and
// every refusal is a problem.
func FuzzRequest(f *testing.F) {
	f.Add("u1", "n=5&category=hats&mode=live&exclude_seen=true")
	f.Add("a/../b", "n=%zz")
	f.Add("ü\x00", "category=%ff&category=")
	f.Add("..", "N=1;n=2&&=")
	f.Add(strings.Repeat("x", 300), "n=1&n=1")
	h, err := New(Options{Service: &fake{}, Registry: prometheus.NewRegistry()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, query string) {
		if id == "" || id == "panic" || id == "broken" {
			return // an empty segment is another route; the others are the fake's own defects
		}
		for _, path := range sample(url.PathEscape(id), "", takesID) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = strings.ReplaceAll(path, url.PathEscape(id), id), path, query
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			kind := w.Header().Get("Content-Type")
			switch {
			case w.Code == 200 && kind == "application/json":
			case (w.Code == 400 || w.Code == 404) && kind == problem.ContentType:
			case w.Code == 301 || w.Code == 307: // the mux cleans the path: only "." and ".." do that
			default:
				t.Fatalf("%q?%q: status %d, %s", path, query, w.Code, kind)
			}
		}
	})
}
