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
// Errors are application/problem+json (infra/problem), those of the router included. Nothing from a
// request gets into a log or a metric label except the route's pattern.
package httpapi
