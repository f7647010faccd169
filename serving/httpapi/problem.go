package httpapi

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/anabranch/anabranch/schemas/api"
)

// problemBody is an answer of type application/problem+json (RFC 9457).
type problemBody struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   api.Code `json:"code"`
	Detail string   `json:"detail"`
}

// statuses maps the codes, once, to HTTP.
var statuses = map[api.Code]int{
	api.Invalid: http.StatusBadRequest, api.NotFound: http.StatusNotFound, api.TooLarge: http.StatusRequestEntityTooLarge,
	api.Gate: http.StatusUnprocessableEntity, api.Superseded: http.StatusConflict, api.Locked: http.StatusLocked,
	api.Unavailable: http.StatusServiceUnavailable, api.Internal: http.StatusInternalServerError,
}

func writeProblem(w http.ResponseWriter, err error) {
	code := api.CodeOf(err)
	detail := err.Error()
	if code == api.Internal {
		detail = "this is a defect; the log of the server tells more"
	}
	writeStatus(w, statuses[code], code, detail)
}

func writeStatus(w http.ResponseWriter, status int, code api.Code, detail string) {
	body, err := json.Marshal(problemBody{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail})
	if err != nil {
		body = []byte(`{"status":500,"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
