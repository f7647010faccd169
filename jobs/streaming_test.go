package jobs

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/infra/problem"
)

// TestOperationsAnswerAsTheAPIDoes: the separate processes speak as `anabranch dev` does.
func TestOperationsAnswerAsTheAPIDoes(t *testing.T) {
	broken := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("intake") })
	for _, tt := range []struct {
		method, path string
		intake       http.Handler
		status       int
		contentType  string
		says         string
	}{
		{"GET", "/healthz", nil, 200, "application/json", `{"ok":true}`},
		{"GET", "/metrics", nil, 200, "", ""},
		{"GET", "/absent", nil, 404, problem.ContentType, "/absent"},
		{"GET", "/absent", broken, 404, problem.ContentType, "/absent"},
		{"GET", "/v1/events", broken, 405, problem.ContentType, "possible: POST"},
		{"POST", "/v1/events", nil, 404, problem.ContentType, "/v1/events"},
		{"POST", "/v1/events", broken, 500, problem.ContentType, "internal"},
		{"POST", "/healthz", nil, 405, problem.ContentType, "possible: GET"},
	} {
		w := httptest.NewRecorder()
		h := operations(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), tt.intake)
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) ||
			tt.contentType != "" && w.Header().Get("Content-Type") != tt.contentType {
			t.Errorf("%s %s: %d %s %s", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, w.Header())
		}
	}
}

// TestIntakeRefusesWritesOfOtherSites: no page of another site puts events into an ingest that only its
// visitor can reach.
func TestIntakeRefusesWritesOfOtherSites(t *testing.T) {
	taken := 0
	intake := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken++ })
	h := operations(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), intake)
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
	if taken != 6 {
		t.Errorf("%d requests were taken in, want 6", taken)
	}
}
