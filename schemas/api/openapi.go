package api

import _ "embed"

//go:embed openapi.yaml
var openAPI string

// OpenAPI returns the description of the HTTP interface, OpenAPI 3.1 as YAML.
func OpenAPI() string { return openAPI }
