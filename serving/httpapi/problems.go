package httpapi

import (
	"net/http"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
)

// problems serves mux, with problems in place of its own plain-text 404 and 405.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// No route matched, so h only says why. Its body is dropped, its status and headers are not.
		refusal := &refusal{header: http.Header{}}
		h.ServeHTTP(refusal, r)
		if refusal.status == http.StatusMethodNotAllowed {
			allow := refusal.header.Get("Allow")
			w.Header().Set("Allow", allow)
			problem.Write(w, r, problem.WithStatus(http.StatusMethodNotAllowed,
				api.Errorf(api.Invalid, "%s is not possible here; possible: %s", api.Clip(r.Method), allow)))
			return
		}
		problem.Write(w, r, api.Errorf(api.NotFound, "there is no %s here; openapi.yaml lists what there is", api.Clip(r.URL.Path)))
	})
}

// refusal takes what the mux answers where it has no route.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header { return r.header }

func (r *refusal) WriteHeader(status int) { r.status = status }

func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
