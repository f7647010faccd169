package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWritesOfOtherSitesAreRefused is about each way to write; what browsers send is the matter of infra/problem.
func TestWritesOfOtherSitesAreRefused(t *testing.T) {
	h := handler(t, &fake{})
	for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
		for site, status := range map[string]int{"": 200, "same-origin": 200, "cross-site": 403} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
			r.Header.Set("Sec-Fetch-Site", site)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("POST %s from %q: status %d, want %d", path, site, w.Code, status)
			}
		}
	}
}

// TestHeadersOfEveryAnswer holds for every route, for errors and for what no route answers.
func TestHeadersOfEveryAnswer(t *testing.T) {
	h := handler(t, &fake{})
	targets := append(sample("u1", "", func(route) bool { return true }), "/nothing", "/v1/users/panic/recommendations", "/v1/trending?n=x")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodPost} {
		for _, target := range append(targets, "/v1/events") {
			header := ask(h, method, target).Header()
			if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: headers %v", method, target, header)
			}
		}
	}
}
