package problem

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/anabranch/anabranch/schemas/api"
)

// routes serves mux, with problems in place of its own plain-text 404 and 405. The hint ends the sentence
// of a 404; it may be empty.
func routes(mux *http.ServeMux, hint string) http.Handler {
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
			Write(w, r, WithStatus(http.StatusMethodNotAllowed,
				api.Errorf(api.Invalid, "%s is not possible here; possible: %s", api.Clip(r.Method), allow)))
			return
		}
		Write(w, r, api.Errorf(api.NotFound, "there is no %s here%s", api.Clip(r.URL.Path), hint))
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

// recovering turns a panic into a problem, so that one broken answer does not look like a broken
// network. The panic is logged, without the request.
func recovering(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
				panic(p)
			}
			log.Error("request panicked", "route", r.Pattern, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			Write(w, r, api.Errorf(api.Internal, "panic"))
		}()
		next.ServeHTTP(w, r)
	})
}
