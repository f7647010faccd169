package problem

import (
	"log/slog"
	"net/http"

	"github.com/anabranch/anabranch/schemas/api"
)

// Handler serves mux as every listener does: errors and panics are problems, writes that a browser sends
// on behalf of another site are refused, and nobody keeps or guesses an answer. The hint ends the sentence
// of a 404; it may be empty.
func Handler(log *slog.Logger, mux *http.ServeMux, hint string) http.Handler {
	return cautious(recovering(log, sameOrigin(routes(mux, hint))))
}

// sameOrigin refuses writes that a browser sends on behalf of another site: a page anywhere could else
// put events into a server that only its visitor can reach. Browsers say where a request comes from;
// clients that say nothing, such as curl and servers, are not touched. Nor are GET and HEAD, which
// change nothing and whose answers no other site may read.
func sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Write(w, r, WithStatus(http.StatusForbidden,
			api.Errorf(api.Invalid, "a page of another origin may not send %s requests here; send them from a server", api.Clip(r.Method))))
	}))
	return p.Handler(next)
}

// cautious sets the headers that hold for every answer, before its handler, which may set others. Nobody
// keeps an answer: it is about this moment, and often about a person. Nobody guesses its type.
func cautious(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
