package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/problem"
)

// TestWritesOfOtherSitesAreRefused sends what browsers and other clients send, for each way to write.
func TestWritesOfOtherSitesAreRefused(t *testing.T) {
	h := handler(t, &fake{})
	for _, c := range []struct {
		name, method string
		headers      map[string]string
		status       int
	}{
		{"curl", "POST", nil, 200},
		{"the console", "POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}, 200},
		{"the console behind a proxy that renames the host", "POST", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://shop.example"}, 200},
		{"the console in a browser without Sec-Fetch-Site", "POST", map[string]string{"Origin": "http://127.0.0.1:8080"}, 200},
		{"another site", "POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		{"another port", "POST", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9999"}, 403},
		{"another site in a browser without Sec-Fetch-Site", "POST", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a sandboxed frame", "POST", map[string]string{"Origin": "null"}, 403},
		{"a link from another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	} {
		for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
			if c.method == "GET" {
				path = "/v1/trending"
			}
			r := httptest.NewRequest(c.method, "http://127.0.0.1:8080"+path, strings.NewReader("{}"))
			for name, v := range c.headers {
				r.Header.Set(name, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%s, %s %s: status %d, want %d", c.name, c.method, path, w.Code, c.status)
			}
			if w.Code == 403 && (w.Header().Get("Content-Type") != problem.ContentType || !strings.Contains(w.Body.String(), "another origin")) {
				t.Errorf("%s: %v, %s", c.name, w.Header(), w.Body)
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
