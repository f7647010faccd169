package problem

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /there", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) { panic("secret") })
	var logged bytes.Buffer
	h := Handler(slog.New(slog.NewTextHandler(&logged, nil)), mux, "; ask elsewhere")
	for _, tt := range []struct {
		method, path string
		status       int
		says, allow  string
	}{
		{"GET", "/there", 204, "", ""},
		{"GET", "/absent", 404, `here; ask elsewhere`, ""},
		{"POST", "/there", 405, "is not possible here; possible: GET, HEAD", "GET, HEAD"},
		{"GET", "/broken", 500, "an internal error", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %s %v", tt.method, tt.path, w.Code, w.Body, w.Header())
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != ContentType {
			t.Errorf("%s %s: content type %q", tt.method, tt.path, w.Header().Get("Content-Type"))
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("the answer tells the panic: %s", w.Body)
		}
	}
	if !strings.Contains(logged.String(), `route="GET /broken" panic=secret`) {
		t.Errorf("logged %s", &logged)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			t.Errorf("recovered %v, want the handler's wish to abort to pass", p)
		}
	}()
	abort := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	recovering(slog.New(slog.DiscardHandler), abort).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}
