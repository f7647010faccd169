package httpapi

import (
	"net/http"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
)

// sameOrigin refuses writes that a browser sends on behalf of another site: a page anywhere could else
// put events into a server that only its visitor can reach. Browsers say where a request comes from;
// clients that say nothing, such as curl and servers, are not touched. Nor are GET and HEAD, which
// change nothing and whose answers no other site may read.
func sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, r, problem.WithStatus(http.StatusForbidden,
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
