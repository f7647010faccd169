package httpapi

import (
	"net/http"

	"github.com/anabranch/anabranch/serving/online"
)

// recommendations answers GET /v1/users/{id}/recommendations.
func (h *handlers) recommendations(r *http.Request, q query) (any, error) {
	in := online.Request{}
	var err error
	if in.User, err = pathID(r, "user_id"); err != nil {
		return nil, err
	}
	if in.N, err = q.n(); err != nil {
		return nil, err
	}
	if in.ExcludeSeen, err = q.boolean("exclude_seen", true); err != nil {
		return nil, err
	}
	if in.Categories, err = q.categories(); err != nil {
		return nil, err
	}
	if in.Mode, err = q.mode(); err != nil {
		return nil, err
	}
	return h.Service.Recommend(r.Context(), in)
}

// userFeatures answers GET /v1/users/{id}/features.
func (h *handlers) userFeatures(r *http.Request, _ query) (any, error) {
	id, err := pathID(r, "user_id")
	if err != nil {
		return nil, err
	}
	return h.Service.Features(r.Context(), id)
}

// similar answers GET /v1/items/{id}/similar.
func (h *handlers) similar(r *http.Request, q query) (any, error) {
	id, err := pathID(r, "item_id")
	if err != nil {
		return nil, err
	}
	n, err := q.n()
	if err != nil {
		return nil, err
	}
	return h.Service.Similar(r.Context(), id, n)
}

// itemFeatures answers GET /v1/items/{id}/features.
func (h *handlers) itemFeatures(r *http.Request, _ query) (any, error) {
	id, err := pathID(r, "item_id")
	if err != nil {
		return nil, err
	}
	return h.Service.ItemFeatures(r.Context(), id)
}

// trending answers GET /v1/trending.
func (h *handlers) trending(r *http.Request, q query) (any, error) {
	n, err := q.n()
	if err != nil {
		return nil, err
	}
	categories, err := q.categories()
	if err != nil {
		return nil, err
	}
	return h.Service.Trending(r.Context(), n, categories)
}

// pulse answers GET /v1/pulse.
func (h *handlers) pulse(r *http.Request, _ query) (any, error) {
	var p Pulse
	if h.Pulse != nil {
		p = h.Pulse(r.Context())
	}
	if p.Generation == nil {
		p.Generation = h.Service.Generation()
	}
	return p, nil
}

// health answers GET /healthz: the process is up and answers.
func (h *handlers) health(*http.Request, query) (any, error) {
	return map[string]bool{"ok": true}, nil
}

// ready answers GET /readyz: 200 when requests may be sent here, else 503; the same body in both cases.
func (h *handlers) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := parseQuery(r); err != nil {
		h.fail(w, r, err)
		return
	}
	answer := Readiness{Ready: true, Checks: h.Service.Checks(r.Context())}
	for _, c := range answer.Checks {
		answer.Ready = answer.Ready && (c.OK || !c.Required)
	}
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	h.write(w, r, status, answer)
}
