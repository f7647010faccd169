package console_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/serving/console"
)

// TestMain fails when a test leaves a goroutine behind, such as one that talks to a browser.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// get asks the handler for a path.
func get(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	console.Handler().ServeHTTP(w, r)
	return w
}

func asset(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("assets", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandlerAnswers(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/?user=u42", 200, "text/html; charset=utf-8"},
		{"GET", "/console/console.css?v", 200, "text/css; charset=utf-8"},
		{"GET", "/console/console.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/console/icon.svg", 200, "image/svg+xml"},
		{"GET", "/console/index.html", 404, "application/problem+json"}, // the template is not an asset
		{"GET", "/console/", 404, "application/problem+json"},
		{"GET", "/console/../../etc/passwd", 307, ""},
		{"GET", "/other", 404, "application/problem+json"},
		{"POST", "/", 405, ""},
	} {
		r := get(t, tt.method, tt.path)
		if r.Code != tt.status || tt.kind != "" && r.Header().Get("Content-Type") != tt.kind {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.path, r.Code, r.Header().Get("Content-Type"), tt.status, tt.kind)
		}
	}
}

func TestUnchangedFilesAreNotSentAgain(t *testing.T) {
	for _, path := range []string{"/", "/console/console.css", "/console/console.js", "/console/icon.svg"} {
		tag := get(t, "GET", path).Header().Get("ETag")
		if again := get(t, "GET", path, "If-None-Match", tag); again.Code != http.StatusNotModified {
			t.Errorf("%s with its own tag %s: %d, want 304", path, tag, again.Code)
		}
		if other := get(t, "GET", path, "If-None-Match", `"other"`); other.Code != http.StatusOK {
			t.Errorf("%s with another tag: %d, want 200", path, other.Code)
		}
	}
}

// TestPolicy holds the page to its content security policy without a browser: nothing inline,
// nothing from elsewhere, and everything it names is there.
func TestPolicy(t *testing.T) {
	r := get(t, "GET", "/")
	policy := r.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy allows too much: %s", policy)
	}
	page := r.Body.String()
	for name, inline := range map[string]string{
		"style element": `<style`, "style attribute": `\sstyle=`, "event handler": `\son[a-z]+=`, "script": `<script[^>]*>[^<]`,
	} {
		if found := regexp.MustCompile(inline).FindString(page); found != "" {
			t.Errorf("the page has an inline %s: %q", name, found)
		}
	}
	named := regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(page, -1)
	assets := 0
	for _, m := range named {
		if strings.HasPrefix(m[1], "/v1/") {
			continue // the API's
		}
		assets++
		if got := get(t, "GET", m[1]); got.Code != http.StatusOK {
			t.Errorf("the page names %s, which answers %d", m[1], got.Code)
		}
	}
	if assets < 3 {
		t.Errorf("the page names %d assets of %q, want style, script and icon", assets, named)
	}
}

func TestNothingFromOtherHosts(t *testing.T) {
	for _, name := range []string{"index.html", "console.css", "console.js", "icon.svg"} {
		text := strings.ReplaceAll(asset(t, name), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := regexp.MustCompile(`(https?:)?//[a-z0-9-]+\.[a-z]\S*|@import|url\(`).FindString(text); found != "" {
			t.Errorf("%s names another host: %s", name, found)
		}
	}
}

func TestScriptNeverWritesMarkup(t *testing.T) {
	script := asset(t, "console.js")
	for _, danger := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser"} {
		if strings.Contains(script, danger) {
			t.Errorf("the script uses %s: texts of the catalogue have to stay texts", danger)
		}
	}
}

func TestScriptFindsItsElements(t *testing.T) {
	page := get(t, "GET", "/").Body.String()
	wanted := regexp.MustCompile(`\$\('([a-z-]+)'\)`).FindAllStringSubmatch(asset(t, "console.js"), -1)
	if len(wanted) < 20 {
		t.Fatalf("the script looks for %d elements only; does this test still read it right?", len(wanted))
	}
	for _, m := range wanted {
		if n := strings.Count(page, `id="`+m[1]+`"`); n != 1 {
			t.Errorf("the page has %d elements with the id %s, want 1", n, m[1])
		}
	}
}

// TestScriptReadsWhatThePulseSays compares the names that the script reads with those that the API writes.
func TestScriptReadsWhatThePulseSays(t *testing.T) {
	server, _ := serveFake(t)
	r, err := server.Client().Get(server.URL + "/v1/pulse")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	said := map[string]any{}
	if err := json.UnmarshalRead(r.Body, &said); err != nil {
		t.Fatal(err)
	}
	_, reader, found := strings.Cut(asset(t, "console.js"), "function readPulse(p) {")
	reader, _, ended := strings.Cut(reader, "\n}\n")
	if !found || !ended {
		t.Fatal("the script has no function readPulse")
	}
	read := regexp.MustCompile(`\bp\.([a-z_]+)`).FindAllStringSubmatch(reader, -1)
	if len(read) < 5 {
		t.Errorf("readPulse reads %q only", read)
	}
	for _, m := range read {
		if _, ok := said[m[1]]; !ok && m[1] != "users" { // users are optional
			t.Errorf("the script reads %s, which the pulse does not have: %v", m[1], said)
		}
	}
}

// TestInputsHaveLabels and the contrast test are the part of accessibility that a machine can check here.
func TestInputsHaveLabels(t *testing.T) {
	page := get(t, "GET", "/").Body.String()
	inputs := regexp.MustCompile(`<input[^>]*\sid="([a-z]+)"`).FindAllStringSubmatch(page, -1)
	if len(inputs) != 2 {
		t.Fatalf("found %d inputs, want 2", len(inputs))
	}
	for _, m := range inputs {
		around := regexp.MustCompile(`<label[^>]*><input[^>]*id="` + m[1] + `"[^>]*>[^<]*\S[^<]*</label>`)
		if !strings.Contains(page, `<label for="`+m[1]+`">`) && !around.MatchString(page) {
			t.Errorf("input %s has no label", m[1])
		}
	}
}
