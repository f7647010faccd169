package jobs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/jobs"
	"github.com/anabranch/anabranch/schemas/api"
)

// running is a dev in this process.
type running struct {
	URL        string `json:"url"`
	Generation string `json:"generation"`
	User       string `json:"user"`

	t      *testing.T
	client *http.Client
	stop   func()
}

// startDev starts dev on a folder, with a small shop and no traffic, and waits until it is ready.
func startDev(t *testing.T, data string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, announce := io.Pipe()
	var logs lines
	exited := make(chan int, 1)
	go func() {
		exited <- jobs.Main(jobs.Env{Context: ctx, Stdout: announce, Stderr: &logs, Args: strings.Fields(
			"--log warn dev --json --listen 127.0.0.1:0 --rate 0 --shop-users 200 --shop-items 100 --shop-events 5000 --shop-days 3 --data " + data)})
		announce.Close()
	}()
	transport := &http.Transport{}
	d := &running{t: t, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	d.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		late := time.NewTimer(5 * time.Second)
		defer late.Stop()
		select {
		case code := <-exited:
			if code != 0 {
				t.Errorf("dev exits with %d after Ctrl-C:\n%s", code, logs.String())
			}
		case <-late.C:
			t.Errorf("dev still runs 5 s after Ctrl-C:\n%s", logs.String())
		}
	})
	t.Cleanup(d.stop)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("dev announces nothing (%v):\n%s", err, logs.String())
	}
	if err := json.Unmarshal(line, d); err != nil {
		t.Fatalf("dev announces %s: %v", line, err)
	}
	return d
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (d *running) do(method, path string, header map[string]string, body io.Reader) answer {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

func (d *running) get(path string) answer { d.t.Helper(); return d.do("GET", path, nil, nil) }

func (d *running) post(path, body string) answer {
	d.t.Helper()
	return d.do("POST", path, map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
}

// problem checks that an answer is a problem in full and returns its detail.
func (d *running) problem(what string, a answer, status int) string {
	d.t.Helper()
	var p struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}
	err := json.Unmarshal(a.body, &p)
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" || err != nil ||
		p.Type == "" || p.Title != http.StatusText(status) || p.Status != status || p.Detail == "" || p.Code == "" {
		d.t.Errorf("%s: expected a problem of status %d, got %d %s: %.300s (%v)", what, status, a.status, a.header.Get("Content-Type"), a.body, err)
	}
	if len(a.body) > 4096 {
		d.t.Errorf("%s: the problem takes %d bytes", what, len(a.body))
	}
	return p.Detail
}

// features returns the features of a user as text, without those that fade with time: the receipt and
// the category affinities.
func (d *running) features(user string) string {
	d.t.Helper()
	a := d.get("/v1/users/" + url.PathEscape(user) + "/features")
	var body struct {
		Features map[string]jsontext.Value `json:"features"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != http.StatusOK || len(body.Features) < 5 {
		d.t.Fatalf("features of %s: %d %.300s", user, a.status, a.body)
	}
	for _, decaying := range []string{"category_affinity", "activity", "spend_decayed"} {
		delete(body.Features, decaying)
	}
	return fmt.Sprint(body.Features)
}

// until waits for a condition of the pipeline.
func (d *running) until(what string, ok func() bool) {
	d.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			d.t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// send posts an event and waits until it is served.
func (d *running) send(id, user string) {
	d.t.Helper()
	before := d.features(user)
	body := fmt.Sprintf(`{"event_id":%q,"user_id":%q,"item_id":"i1","type":"like"}`, id, user)
	if a := d.post("/v1/events", body); a.status != http.StatusOK {
		d.t.Fatalf("post %s: %d %s", body, a.status, a.body)
	}
	d.until("the event in the features of "+user, func() bool { return d.features(user) != before })
}

// TestDevOverHTTP: dev under bad input, its end, and its second start.
func TestDevOverHTTP(t *testing.T) {
	data := t.TempDir()
	leaks := goleak.IgnoreCurrent()
	d := startDev(t, data)
	const user = "ünïcode/用户 1" // an id is any text
	d.send("first", user)
	before := d.features(user)
	t.Run("query", func(t *testing.T) { d.t = t; badQueries(d) })
	t.Run("ids", func(t *testing.T) { d.t = t; ids(d) })
	t.Run("bodies", func(t *testing.T) { d.t = t; badBodies(d, user) })
	t.Run("routes", func(t *testing.T) { d.t = t; badRoutes(d) })
	d.t = t
	d.send("fence", "somebody else") // what was sent before it has been dealt with, in its partition
	if after := d.features(user); after != before {
		t.Errorf("bad input has changed features:\n%s\n%s", before, after)
	}

	generation := d.Generation
	d.stop()
	goleak.VerifyNone(t, leaks)
	if _, err := os.Stat(data + "/endpoints.json"); err == nil {
		t.Error("endpoints.json outlives dev")
	}

	again := startDev(t, data)
	if again.Generation != generation {
		t.Errorf("the second start serves %s, the first %s", again.Generation, generation)
	}
	again.until("the state of before", func() bool { return again.features(user) == before })
	again.send("second", user)
	again.stop()
	goleak.VerifyNone(t, leaks)
}

// listEndpoints take n; idEndpoints take an id of the kind.
var (
	listEndpoints = []string{"/v1/users/u1/recommendations", "/v1/items/i1/similar", "/v1/trending"}
	idEndpoints   = map[string][]string{
		"user_id": {"/v1/users/%s/recommendations", "/v1/users/%s/features"},
		"item_id": {"/v1/items/%s/similar", "/v1/items/%s/features"},
	}
	getEndpoints = append([]string{
		"/v1/users/u1/features", "/v1/items/i1/features", "/v1/pulse", "/healthz", "/readyz",
	}, listEndpoints...)
)

func badQueries(d *running) {
	for _, n := range []string{"-1", "0", "1000000000", "1001", "abc", "1.5", "1e3", "99999999999999999999", "+", "%00", "", strings.Repeat("9", 5000)} {
		details := map[string]bool{}
		for _, path := range listEndpoints {
			details[d.problem(path+"?n="+n, d.get(path+"?n="+n), http.StatusBadRequest)] = true
		}
		if len(details) != 1 {
			d.t.Errorf("n=%.20s: the endpoints do not agree: %v", n, details)
		}
	}
	for _, path := range listEndpoints {
		if a := d.get(path + fmt.Sprint("?n=", api.MaxN)); a.status != http.StatusOK {
			d.t.Errorf("%s?n=%d: %d %.200s", path, api.MaxN, a.status, a.body)
		}
		d.problem(path+" twice", d.get(path+"?n=1&n=2"), http.StatusBadRequest)
	}
	for _, path := range getEndpoints {
		for _, query := range []string{"bogus=1", "N=5", "n=5;x=1", "n=%zz", strings.Repeat("x", 3000) + "=1"} {
			d.problem(path+"?"+query, d.get(path+"?"+query), http.StatusBadRequest)
		}
	}
	for _, query := range []string{"mode=best", "exclude_seen=maybe", "category=", "category=%ff", "category=" + strings.Repeat("c", 2000), strings.Repeat("category=c&", 100) + "n=1"} {
		d.problem("recommendations?"+query, d.get("/v1/users/u1/recommendations?"+query), http.StatusBadRequest)
	}
}

func ids(d *running) {
	for _, id := range []string{strings.Repeat("x", 10_000), strings.Repeat("ü", 129), "a\x00b", "a\nb", "\x7f", "\xff\xfe"} {
		for field, paths := range idEndpoints {
			details := map[string]bool{}
			for _, path := range paths {
				path = fmt.Sprintf(path, url.PathEscape(id))
				details[d.problem(path, d.get(path), http.StatusBadRequest)] = true
			}
			for detail := range details {
				if len(details) != 1 || !strings.Contains(detail, field) {
					d.t.Errorf("%s %.20q: the endpoints do not agree: %v", field, id, details)
				}
			}
			// The same words about the same id where it comes in a body.
			body, err := json.Marshal(map[string]string{field: id}, jsontext.AllowInvalidUTF8(true))
			if err != nil {
				d.t.Fatal(err)
			}
			if id == "\xff\xfe" { // in a body that is no JSON, which is said instead
				continue
			}
			posted := d.problem("POST "+field, d.post("/v1/"+strings.TrimSuffix(field, "_id")+"s", string(body)), http.StatusBadRequest)
			for detail := range details {
				if !strings.HasSuffix(posted, detail) {
					d.t.Errorf("%s %.20q: a body is told %q, a path %q", field, id, posted, detail)
				}
			}
		}
	}
	for _, id := range []string{"ünïcode", "用户", "👩‍👧", "a b/c?d#e%", strings.Repeat("x", 256), "..", "."} {
		for _, paths := range idEndpoints {
			for _, path := range paths {
				path = fmt.Sprintf(path, pathSegment(id))
				if a := d.get(path); a.status != http.StatusOK && a.status != http.StatusNotFound {
					d.t.Errorf("%s: %d %.300s", path, a.status, a.body)
				} else if a.status == http.StatusNotFound && !strings.Contains(path, "/items/") {
					d.t.Errorf("%s: users are always known: %.300s", path, a.body)
				}
			}
		}
	}
}

// pathSegment escapes an id, dots too, which a client would take for a step up.
func pathSegment(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

func badBodies(d *running, user string) {
	good := fmt.Sprintf(`{"event_id":"bad-body","user_id":%q,"item_id":"i1","type":"view"}`, user)
	for name, body := range map[string]string{
		"empty": "", "blank": " \n", "cut": good[:40], "text": "hello", "number": "1", "null": "null", "list": "[]", "wrapped list": `{"events":[]}`,
		"unknown field": strings.Replace(good, `"type"`, `"colour":"red","type"`, 1),
		"field twice":   strings.Replace(good, `"type"`, `"type":"view","type"`, 1),
		"other case":    strings.Replace(good, `"type"`, `"Type"`, 1),
		"wrong type":    strings.Replace(good, `"i1"`, `1`, 1),
		"trailing":      good + "}", "two values": good + good, "comment": "/* */" + good, "not UTF-8": strings.Replace(good, "bad", "\xff", 1),
		"no user": `{"event_id":"x","item_id":"i1","type":"view"}`, "no id": strings.Replace(good, `"event_id":"bad-body",`, "", 1),
		"far future":   strings.Replace(good, `"type"`, `"event_time":"9000-01-01T00:00:00Z","type"`, 1),
		"too many":     "[" + strings.Repeat(good+",", api.MaxBatch) + good + "]",
		"deep":         strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"list in list": "[[" + good + "]]",
	} {
		want := http.StatusBadRequest
		if name == "too many" {
			want = http.StatusRequestEntityTooLarge
		}
		d.problem(name, d.post("/v1/events", body), want)
	}
	for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
		d.problem(path+" of 10 MB", d.post(path, `{"user_id":"`+strings.Repeat("x", 10<<20)+`"}`), http.StatusRequestEntityTooLarge)
		for header, value := range map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip"} {
			d.problem(path+" as "+value, d.do("POST", path, map[string]string{header: value}, strings.NewReader(good)), http.StatusUnsupportedMediaType)
		}
		d.problem(path+" with a mark", d.do("POST", path, map[string]string{"anabranch-mark": "1"}, strings.NewReader(good)), http.StatusBadRequest)
	}
	d.problem("item", d.post("/v1/items", `{"item_id":"bad-item","attributes":{"price":"cheap"}}`), http.StatusBadRequest)
	d.problem("user", d.post("/v1/users", `{"user_id":"bad-user","attributes":{"a":{"b":1}}}`), http.StatusBadRequest)
	duplicates(d)
}

// duplicates: the good records of a batch are taken, the bad ones are named, an event counts once.
func duplicates(d *running) {
	d.t.Helper()
	e := `{"event_id":"twice","user_id":"twice","item_id":"i1","type":"like"}`
	a := d.post("/v1/events", "["+e+","+strings.Replace(e, `"i1"`, `""`, 1)+","+e+"]")
	var got struct{ Accepted, Rejected int }
	if err := json.Unmarshal(a.body, &got, json.MatchCaseInsensitiveNames(true)); err != nil || a.status != http.StatusMultiStatus || got.Rejected != 1 || got.Accepted != 2 {
		d.t.Fatalf("a batch of good and bad: %d %s", a.status, a.body)
	}
	if !strings.Contains(string(a.body), `"item_id"`) {
		d.t.Errorf("the rejected record is not explained: %s", a.body)
	}
	d.send("once", "twice") // behind both in the same partition, perhaps in the next batch of the stream
	var f string
	d.until("the event behind those that were sent twice", func() bool {
		f = d.features("twice")
		return !strings.Contains(f, "events_7d:0 ") && !strings.Contains(f, "events_7d:1 ")
	})
	if !strings.Contains(f, "events_7d:2 ") {
		d.t.Errorf("an event that was sent twice and one that was sent once: %s", f)
	}
}

func badRoutes(d *running) {
	for _, path := range append(getEndpoints, "/metrics", "/openapi.yaml") {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			a := d.do(method, path, nil, strings.NewReader("{}"))
			d.problem(method+" "+path, a, http.StatusMethodNotAllowed)
			if !strings.Contains(a.header.Get("Allow"), "GET") {
				d.t.Errorf("%s %s: Allow is %q", method, path, a.header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/v1/events", "/v1/items", "/v1/users"} {
		d.problem("GET "+path, d.get(path), http.StatusMethodNotAllowed)
	}
	for _, path := range []string{"/v1", "/v2/trending", "/v1/users/u1", "/v1/users/u1/recommendations/more", "/favicon.php", "/v1/users//features"} {
		d.problem("GET "+path, d.get(path), http.StatusNotFound)
	}
}
