package httpapi

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
)

// answerFunc answers a request or fails.
type answerFunc func(*http.Request, query) (any, error)

// answer turns a function into the handler of a route with the given parameters.
func (h *handlers) answer(f answerFunc, parameters []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuery(r, parameters...)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		v, err := f(r, q)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		h.write(w, r, http.StatusOK, v)
	})
}

// write sends v as JSON.
func (h *handlers) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		h.fail(w, r, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone, which is its own business
}

// fail sends err as a problem. What is not the client's doing is logged, without the request.
func (h *handlers) fail(w http.ResponseWriter, r *http.Request, err error) {
	if api.CodeOf(err) == api.Internal && r.Context().Err() == nil {
		h.Logger.Error("request failed", "route", r.Pattern, "error", err)
	}
	problem.Write(w, r, err)
}
