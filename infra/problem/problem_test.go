package problem

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/schemas/api"
)

func TestWrite(t *testing.T) {
	tests := []struct {
		name       string
		err        error
		extensions map[string]any
		status     int
		retry      string
		want       map[string]any
	}{
		{"invalid", fmt.Errorf("read: %w", api.Errorf(api.Invalid, "n=-1")), nil, 400, "", map[string]any{"title": "Bad Request", "detail": "read: n=-1", "code": "invalid"}},
		{"not found", api.Errorf(api.NotFound, "no"), nil, 404, "", map[string]any{"title": "Not Found", "detail": "no", "code": "not_found"}},
		{"too large", api.Errorf(api.TooLarge, "no"), nil, 413, "", map[string]any{"title": "Request Entity Too Large", "detail": "no", "code": "too_large"}},
		{"gate", api.Errorf(api.Gate, "no"), nil, 422, "", map[string]any{"title": "Unprocessable Entity", "detail": "no", "code": "gate"}},
		{"superseded", api.Errorf(api.Superseded, "no"), nil, 409, "", map[string]any{"title": "Conflict", "detail": "no", "code": "superseded"}},
		{"locked", api.Errorf(api.Locked, "no"), nil, 423, "", map[string]any{"title": "Locked", "detail": "no", "code": "locked"}},
		{"away", api.Errorf(api.Unavailable, "no"), nil, 503, "1", map[string]any{"title": "Service Unavailable", "detail": "no", "code": "unavailable"}},
		{"internal hides", errors.New("secret"), nil, 500, "", map[string]any{"title": "Internal Server Error", "detail": "an internal error; the server's log has more", "code": "internal"}},
		{"own status", WithStatus(http.StatusUnsupportedMediaType, api.Errorf(api.Invalid, "no")), nil, 415, "", map[string]any{"title": "Unsupported Media Type", "detail": "no", "code": "invalid"}},
		{"extensions do not replace", api.Errorf(api.Invalid, "no"), map[string]any{"x": "y", "status": 1}, 400, "", map[string]any{"title": "Bad Request", "detail": "no", "code": "invalid", "x": "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			WriteWith(w, httptest.NewRequest(http.MethodGet, "/", nil), tt.err, tt.extensions)
			if w.Code != tt.status || w.Header().Get("Content-Type") != ContentType || w.Header().Get("Retry-After") != tt.retry {
				t.Errorf("status %d, headers %v", w.Code, w.Header())
			}
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			tt.want["type"], tt.want["status"] = "about:blank", float64(tt.status)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequest(http.MethodHead, "/", nil), api.Errorf(api.NotFound, "no"))
	if w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("status %d, %d bytes", w.Code, w.Body.Len())
	}
}
