package httpapi

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/serving/recommend"
)

// sample returns a target for each route that the filter takes, with the given id and query.
func sample(id, query string, takes func(route) bool) []string {
	var out []string
	h := &handlers{Options{Service: &fake{}}}
	for _, r := range h.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		if method == http.MethodGet && takes(r) {
			out = append(out, strings.ReplaceAll(path, "{id}", id)+query)
		}
	}
	return out
}

func takesParameter(name string) func(route) bool {
	return func(r route) bool {
		for _, p := range r.parameters {
			if p == name {
				return true
			}
		}
		return false
	}
}

func takesID(r route) bool { return strings.Contains(r.pattern, "{id}") }

func answersJSON(r route) bool {
	return r.pattern != "GET /metrics" && r.pattern != "GET /openapi.yaml"
}

// TestBadInputIsRefusedAlike sends every bad value to every endpoint that takes such a value.
func TestBadInputIsRefusedAlike(t *testing.T) {
	type bad struct {
		name, id, query, says string
		takes                 func(route) bool
	}
	var all []bad
	for _, n := range []string{"-1", "0", "1001", "1000000000", "99999999999999999999", "x", "", "1.5", "%EF%BC%91"} {
		all = append(all, bad{"n=" + n, "u1", "?n=" + n, "from 1 to 1000", takesParameter("n")})
	}
	for _, b := range []string{"yes", "1", "TRUE"} {
		all = append(all, bad{"exclude_seen=" + b, "u1", "?exclude_seen=" + b, "true or false", takesParameter("exclude_seen")})
	}
	all = append(all,
		bad{"empty category", "u1", "?category=", "1 to 1024 bytes", takesParameter("category")},
		bad{"long category", "u1", "?category=" + strings.Repeat("x", 1025), "1 to 1024 bytes", takesParameter("category")},
		bad{"category that is no UTF-8", "u1", "?category=%ff", "1 to 1024 bytes", takesParameter("category")},
		bad{"too many categories", "u1", "?" + strings.Repeat("category=a&", 65), "at most 64", takesParameter("category")},
		bad{"mode", "u1", "?mode=fast", "merged, batch or live", takesParameter("mode")},
		bad{"n twice", "u1", "?n=1&n=2", "given 2 times", takesParameter("n")},
		bad{"long id", strings.Repeat("%C3%A9", 5000), "", "256 bytes", takesID},
		bad{"id with a control character", "a%00", "", "control characters", takesID},
		bad{"id that is no UTF-8", "%ff", "", "UTF-8", takesID},
		bad{"id with a line break", "a%0Ab", "", "control characters", takesID},
		bad{"unknown parameter", "u1", "?limit=5", "limit", answersJSON},
		bad{"broken escape", "u1", "?n=%zz", "cannot be read", answersJSON},
		bad{"semicolon", "u1", "?n=1;m=2", "cannot be read", answersJSON},
	)
	h := handler(t, &fake{})
	for _, b := range all {
		targets := sample(b.id, b.query, b.takes)
		if len(targets) == 0 {
			t.Fatalf("%s: no endpoint takes it", b.name)
		}
		for _, target := range targets {
			w := ask(h, http.MethodGet, target)
			var p struct {
				Code   string `json:"code"`
				Detail string `json:"detail"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%s, %.80s: %v", b.name, target, err)
			}
			if w.Code != 400 || p.Code != "invalid" || !strings.Contains(p.Detail, b.says) || w.Header().Get("Content-Type") != problem.ContentType {
				t.Errorf("%s, %.80s: status %d, %+v, want 400 that says %q", b.name, target, w.Code, p, b.says)
			}
			if len(p.Detail) > 400 {
				t.Errorf("%s, %.80s: a message of %d bytes repeats the input", b.name, target, len(p.Detail))
			}
		}
	}
}

func TestClosestParameterIsNamed(t *testing.T) {
	h := handler(t, &fake{})
	for given, meant := range map[string]string{
		"exclude_sen": "exclude_seen", "excludeSeen": "exclude_seen", "categories": "category", "mod": "mode", "N": "n",
		strings.Repeat("x", 5000): "",
	} {
		w := ask(h, http.MethodGet, "/v1/users/u1/recommendations?"+given+"=1")
		if !strings.Contains(w.Body.String(), "did you mean "+meant) {
			t.Errorf("%.20s: %s", given, w.Body)
		}
	}
}

func TestParametersReachTheService(t *testing.T) {
	f := &fake{}
	h := handler(t, f)
	for target, want := range map[string]any{
		"/v1/users/u1/recommendations": online.Request{User: "u1", N: 20, ExcludeSeen: true, Mode: recommend.ModeMerged},
		"/v1/users/a%2Fb%20c/recommendations?n=5&exclude_seen=false&category=hats&category=socks%26co&mode=live": online.Request{
			User: "a/b c", N: 5, Categories: []string{"hats", "socks&co"}, Mode: recommend.ModeLive,
		},
		"/v1/users/%2E%2E/features":        asked{id: ".."},
		"/v1/items/%C3%BC/similar?n=1000":  asked{id: "ü", n: 1000},
		"/v1/items/a+b/features":           asked{id: "a+b"},
		"/v1/trending?n=1&category=a%2Cb":  asked{n: 1, categories: []string{"a,b"}},
		"/v1/items/a%2F..%2Fb%3Fn/similar": asked{id: "a/../b?n", n: 20},
	} {
		w := ask(h, http.MethodGet, target)
		if d := cmp.Diff(want, f.asked, cmp.AllowUnexported(asked{})); w.Code != 200 || d != "" {
			t.Errorf("%s: status %d, asked (-want +got):\n%s", target, w.Code, d)
		}
	}
}

func TestRouterAnswersWithProblems(t *testing.T) {
	h := handler(t, &fake{})
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/v1/nothing", 404, ""},
		{"GET", "/v1/users//features", 404, ""},
		{"GET", "/v2/trending", 404, ""},
		{"GET", "/favicon.ico", 404, ""},
		{"DELETE", "/v1/trending", 405, "GET, HEAD"},
		{"GET", "/v1/events", 405, "POST"},
		{"POST", "/", 405, "GET, HEAD"},
	} {
		w := ask(h, c.method, c.target)
		if w.Code == 301 || w.Code == 307 { // the mux cleans the path first
			at := must(url.Parse(w.Header().Get("Location")))(t)
			w = ask(h, c.method, at.Path)
		}
		if w.Code != c.status || w.Header().Get("Allow") != c.allow || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: status %d, headers %v", c.method, c.target, w.Code, w.Header())
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestIngestAndConsoleAreOptional(t *testing.T) {
	with, without := handler(t, &fake{}), handler(t, &fake{}, func(o *Options) { o.Ingest, o.Console = nil, nil })
	for target, says := range map[string]string{"POST /v1/events": "ingest", "POST /v1/items": "ingest", "POST /v1/users": "ingest", "GET /": "console", "GET /console/x.css": "console"} {
		method, path, _ := strings.Cut(target, " ")
		if w := ask(with, method, path); w.Code != 200 || w.Body.String() != says {
			t.Errorf("%s: status %d, %q", target, w.Code, w.Body)
		}
		if w := ask(without, method, path); w.Code != 404 {
			t.Errorf("%s without: status %d", target, w.Code)
		}
	}
}

// TestMetricsAndLogsHoldNoIDs sends an id that must turn up neither in metrics nor in logs.
func TestMetricsAndLogsHoldNoIDs(t *testing.T) {
	var logged bytes.Buffer
	h := handler(t, &fake{}, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	for _, target := range []string{"/v1/users/secret-7/features", "/v1/users/secret-7/recommendations?secret-7=1", "/secret-7", "/v1/users/broken/recommendations", "/v1/users/panic/recommendations"} {
		ask(h, http.MethodGet, target)
	}
	w := ask(h, http.MethodGet, "/metrics")
	for _, want := range []string{
		`anabranch_http_request_seconds_count{route="GET /v1/users/{id}/features",status="200"} 1`,
		`anabranch_http_request_seconds_count{route="GET /v1/users/{id}/recommendations",status="400"} 1`,
		`anabranch_http_request_seconds_count{route="GET /v1/users/{id}/recommendations",status="500"} 2`,
		`anabranch_http_request_seconds_count{route="other",status="404"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(w.Body.String(), "secret-7") || strings.Contains(logged.String(), "secret-7") {
		t.Error("an id is in metrics or logs")
	}
	if n := strings.Count(logged.String(), "level=ERROR"); n != 2 {
		t.Errorf("%d errors logged, want the failure and the panic:\n%s", n, &logged)
	}
	if !strings.Contains(logged.String(), "a secret path") {
		t.Error("the cause of a 500 is nowhere")
	}
}

func TestPanicIsAProblem(t *testing.T) {
	w := ask(handler(t, &fake{}), http.MethodGet, "/v1/users/panic/recommendations")
	if w.Code != 500 || w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
}

// TestOverTheRealService asks a service that has nothing yet.
func TestOverTheRealService(t *testing.T) {
	s := must(online.New(online.Config{Bucket: must(filebucket.Open(t.TempDir()))(t), Features: must(feature.Default())(t)}))(t)
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := must(New(Options{Service: s, Registry: prometheus.NewRegistry()}))(t)
	spec := parseSpec(t)
	for target, schema := range map[string]string{
		"/v1/users/u1/recommendations": "Recommendations", "/v1/trending": "TrendingItems", "/v1/users/u1/features": "UserFeatures",
		"/v1/items/i1/features": "ItemFeatures", "/v1/pulse": "Pulse", "/readyz": "Readiness",
	} {
		w := ask(h, http.MethodGet, target)
		if w.Code != 200 {
			t.Errorf("%s: status %d, %s", target, w.Code, w.Body)
		}
		spec.check(t, schema, w.Body.Bytes())
	}
}
