// Package console is the page at /: the pipeline's pulse, and for one user what batch alone, live
// alone and both together recommend.
//
// The page is static. Its script asks the API of the same host, like any other client, and nothing
// else: GET /v1/pulse every second, GET /v1/users/{id}/recommendations?mode=… and
// GET /v1/users/{id}/features for the chosen user, POST /v1/events when a button under an item is
// pressed. So the console sees what a product would see, and needs nothing that the API does not have.
//
// Everything is embedded and written here: one template, one style sheet, one script, one icon. The
// content security policy allows nothing else: no inline code, no other host, no frame around it.
// Texts from the catalogue reach the page as text nodes only.
//
//	mux.Handle("GET /{$}", console.Handler())
//	mux.Handle("GET /console/", console.Handler())
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"time"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
)

// AssetsPath is the folder of the URLs of everything but the page itself.
const AssetsPath = "/console/"

//go:embed assets
var assets embed.FS

// policy allows the page its own script, style sheet, icon and API, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A file of the console, ready to be sent.
type file struct {
	body []byte
	kind string // content type
	tag  string // entity tag, from the content
}

// Handler answers GET and HEAD for the page at / and its assets below AssetsPath, a 404 problem for
// other paths and 405 for other methods. It holds no state and may be mounted more than once.
func Handler() http.Handler {
	mux := http.NewServeMux()
	style := asset("console.css", "text/css; charset=utf-8")
	script := asset("console.js", "text/javascript; charset=utf-8")
	mux.Handle("GET "+AssetsPath+"console.css", style)
	mux.Handle("GET "+AssetsPath+"console.js", script)
	mux.Handle("GET "+AssetsPath+"icon.svg", asset("icon.svg", "image/svg+xml"))
	mux.Handle("GET /{$}", page(style.tag, script.tag))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, api.Errorf(api.NotFound, "the console has no %s; its page is at /", api.Clip(r.URL.Path)))
	})
	return mux
}

// asset returns an embedded file. A name that is not embedded is a defect that no request can cause
// and every test would meet, so it panics like template.Must.
func asset(name, kind string) file {
	body, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	return newFile(body, kind)
}

func newFile(body []byte, kind string) file {
	sum := sha256.Sum256(body)
	return file{body: body, kind: kind, tag: hex.EncodeToString(sum[:8])}
}

// ServeHTTP implements http.Handler. A browser keeps the file but asks each time whether it changed,
// so a new binary is never driven by an old script.
func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+f.tag+`"`)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// column is one of the lists shown side by side.
type column struct {
	Mode  string // as the API's parameter mode
	Title string
	Says  string
}

func page(style, script string) file {
	t := template.Must(template.ParseFS(assets, "assets/index.html"))
	var b bytes.Buffer
	err := t.Execute(&b, map[string]any{
		"Assets": AssetsPath,
		"Style":  style,
		"Script": script,
		"Columns": []column{
			{"batch", "Batch only", "what the last generation knew"},
			{"live", "Live only", "what happened since its cut"},
			{"merged", "Merged", "both, each event once"},
		},
	})
	if err != nil {
		panic(err) // a template and its data are both constants of this file
	}
	return newFile(b.Bytes(), "text/html; charset=utf-8")
}
