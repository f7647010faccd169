package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/serving/online"
)

// Service is what the handlers answer from; *online.Service is one.
type Service interface {
	Recommend(ctx context.Context, q online.Request) (online.Recommendations, error)
	Similar(ctx context.Context, item string, n int) (online.SimilarItems, error)
	Trending(ctx context.Context, n int, categories []string) (online.TrendingItems, error)
	Features(ctx context.Context, user string) (online.UserFeatures, error)
	ItemFeatures(ctx context.Context, item string) (online.ItemFeatures, error)
	// Generation describes the generation that is served, nil before the first one.
	Generation() *online.GenerationInfo
	// Checks tells how each dependency is doing.
	Checks(ctx context.Context) []online.Check
}

// Options are the parts of the handler. Service and Registry are required.
type Options struct {
	Service  Service
	Registry *prometheus.Registry // served at /metrics; the request metrics are registered here
	// Pulse tells how the pipeline is doing. Without it /v1/pulse knows the generation only.
	Pulse func(ctx context.Context) Pulse
	// Ingest answers POST /v1/events, /v1/items and /v1/users; nil leaves these routes out.
	Ingest http.Handler
	// Console answers GET / and GET /console/…; nil leaves these routes out.
	Console http.Handler
	Logger  *slog.Logger // nil discards
}

// route is one line of openapi.yaml: what is served, and the query parameters it takes.
type route struct {
	pattern    string
	handler    http.Handler
	parameters []string
}

// New returns the handler of everything that the package comment lists.
func New(o Options) (http.Handler, error) {
	if o.Service == nil || o.Registry == nil {
		return nil, errors.New("http api: a service and a registry are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	metrics, err := newMetrics(o.Registry)
	if err != nil {
		return nil, err
	}
	h := &handlers{Options: o}
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		mux.Handle(r.pattern, r.handler)
	}
	return metrics.measure(problem.Handler(o.Logger, mux, hint)), nil
}

// hint ends the sentence of a 404.
const hint = "; openapi.yaml lists what there is"

type handlers struct{ Options }

// routes lists what the options ask for.
func (h *handlers) routes() []route {
	list := []route{
		h.get("/v1/users/{id}/recommendations", h.recommendations, "n", "exclude_seen", "category", "mode"),
		h.get("/v1/users/{id}/features", h.userFeatures),
		h.get("/v1/items/{id}/similar", h.similar, "n"),
		h.get("/v1/items/{id}/features", h.itemFeatures),
		h.get("/v1/trending", h.trending, "n", "category"),
		h.get("/v1/pulse", h.pulse),
		h.get("/healthz", h.health),
		{pattern: "GET /readyz", handler: http.HandlerFunc(h.ready)},
		{pattern: "GET /metrics", handler: promhttp.HandlerFor(h.Registry, promhttp.HandlerOpts{})},
		{pattern: "GET /openapi.yaml", handler: http.HandlerFunc(describe)},
	}
	if h.Ingest != nil {
		for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
			list = append(list, route{pattern: "POST " + path, handler: h.Ingest})
		}
	}
	if h.Console != nil {
		list = append(list, route{pattern: "GET /{$}", handler: h.Console}, route{pattern: "GET /console/", handler: h.Console})
	}
	return list
}

// get returns a route that a function answers.
func (h *handlers) get(path string, f answerFunc, parameters ...string) route {
	return route{pattern: "GET " + path, handler: h.answer(f, parameters), parameters: parameters}
}

// describe answers GET /openapi.yaml.
func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = io.WriteString(w, api.OpenAPI()) // the client may be gone
}
