// Package problem writes errors over HTTP as application/problem+json (RFC 9457). It is the one
// place where an error's code (schemas/api) becomes an HTTP status, so that every endpoint answers
// alike:
//
//	{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "n=-1: …", "code": "invalid"}
//
// The detail of an internal error is not shown: it may name what is no caller's business. Whoever
// calls Write logs it.
//
// Handler is what goes around the routes of every listener: problems for what no route answers and for
// panics, and the refusal of writes that a browser sends on behalf of another site.
package problem

import (
	"errors"
	"maps"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/api"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// retryAfter is what a client is told to wait when a dependency is away, in seconds.
const retryAfter = "1"

// Status returns the HTTP status of a code.
func Status(c api.Code) int {
	switch c {
	case api.Invalid:
		return http.StatusBadRequest
	case api.NotFound:
		return http.StatusNotFound
	case api.TooLarge:
		return http.StatusRequestEntityTooLarge
	case api.Gate:
		return http.StatusUnprocessableEntity
	case api.Superseded:
		return http.StatusConflict
	case api.Locked:
		return http.StatusLocked
	case api.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// statusError is an error whose status is not that of its code.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// WithStatus gives an error a status of its own, for what only HTTP knows, such as 415. Its code stays.
func WithStatus(status int, err error) error { return &statusError{status, err} }

// StatusOf returns the status that Write answers with.
func StatusOf(err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.status
	}
	return Status(api.CodeOf(err))
}

// Write answers a request with an error.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	WriteWith(w, r, err, nil)
}

// WriteWith is Write with extension members, which cannot replace the standard ones.
func WriteWith(w http.ResponseWriter, r *http.Request, err error, extensions map[string]any) {
	code, status := api.CodeOf(err), StatusOf(err)
	detail := err.Error()
	if code == api.Internal {
		detail = "an internal error; the server's log has more"
	}
	body := map[string]any{}
	maps.Copy(body, extensions)
	maps.Copy(body, map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail, "code": string(code),
	})
	b, encodeErr := json.Marshal(body, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if encodeErr != nil { // an extension that is no JSON: the caller's defect, and the error still counts
		b = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
		status = http.StatusInternalServerError
	}
	header := w.Header()
	header.Set("Content-Type", ContentType)
	header.Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(b, '\n')) // the client may be gone; there is nobody left to tell
	}
}
