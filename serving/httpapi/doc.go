// Package httpapi is the HTTP face of serving: routes, validation, problem+json, request metrics.
// schemas/api/openapi.yaml describes every route; a test holds both together.
//
//	GET  /v1/users/{id}/recommendations?n=&exclude_seen=&category=&mode=
//	GET  /v1/users/{id}/features
//	GET  /v1/items/{id}/similar?n=
//	GET  /v1/items/{id}/features
//	GET  /v1/trending?n=&category=
//	GET  /v1/pulse
//	GET  /healthz  /readyz  /metrics  /openapi.yaml
//	POST /v1/events  /v1/items  /v1/users     the ingest handler that New was given
//	GET  /  /console/…                        the console that New was given
//
// Ids are one path segment, percent-encoded. Every endpoint validates n, ids and switches with the
// same functions (schemas/api, event.CheckID); an unknown parameter is an error that names the closest
// known one, because a misspelled filter must not be silently left out.
//
// A browser's write on behalf of another site is refused with 403; other clients are not touched. There
// is no authentication: whoever reaches the listener may read and write, so it listens on loopback by
// default or stands behind a proxy that knows its callers.
//
// Errors are application/problem+json (infra/problem), those of the router included. Nothing from a
// request gets into a log or a metric label except the route's pattern.
package httpapi
