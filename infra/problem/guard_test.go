package problem

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// written is a handler with something to read and something to write.
func written() http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	mux.HandleFunc("GET /read", ok)
	mux.HandleFunc("POST /write", ok)
	mux.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) { panic("broken") })
	return Handler(slog.New(slog.DiscardHandler), mux, "")
}

// TestWritesOfOtherSitesAreRefused sends what browsers and other clients send.
func TestWritesOfOtherSitesAreRefused(t *testing.T) {
	h := written()
	for _, c := range []struct {
		name, method, path string
		headers            map[string]string
		status             int
	}{
		{"curl", "POST", "/write", nil, 200},
		{"the console", "POST", "/write", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}, 200},
		{"the console behind a proxy that renames the host", "POST", "/write", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://shop.example"}, 200},
		{"the console in a browser without Sec-Fetch-Site", "POST", "/write", map[string]string{"Origin": "http://127.0.0.1:8080"}, 200},
		{"another site", "POST", "/write", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		{"another port", "POST", "/write", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9999"}, 403},
		{"another site in a browser without Sec-Fetch-Site", "POST", "/write", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a sandboxed frame", "POST", "/write", map[string]string{"Origin": "null"}, 403},
		{"a link from another site", "GET", "/read", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	} {
		r := httptest.NewRequest(c.method, "http://127.0.0.1:8080"+c.path, strings.NewReader("{}"))
		for name, v := range c.headers {
			r.Header.Set(name, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s, %s %s: status %d, want %d", c.name, c.method, c.path, w.Code, c.status)
		}
		if w.Code == 403 && (w.Header().Get("Content-Type") != ContentType || !strings.Contains(w.Body.String(), "another origin")) {
			t.Errorf("%s: %v, %s", c.name, w.Header(), w.Body)
		}
	}
}

// TestHeadersOfEveryAnswer holds for every route, for errors and for what no route answers.
func TestHeadersOfEveryAnswer(t *testing.T) {
	h := written()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodPost} {
		for _, path := range []string{"/read", "/write", "/broken", "/nothing"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: headers %v", method, path, w.Header())
			}
		}
	}
}
