package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
)

// The content types of a body.
const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// readBody reads a request's body within the limit and returns its media type with it.
func readBody(w http.ResponseWriter, r *http.Request) (mediaType string, body []byte, err error) {
	if mediaType, err = mediaTypeOf(r); err != nil {
		return "", nil, err
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", nil, api.Errorf(api.TooLarge, "the body exceeds %d bytes: send it in several requests", api.MaxBodyBytes)
	case err != nil:
		return "", nil, api.Errorf(api.Invalid, "read the body: %w", err)
	}
	return mediaType, body, nil
}

func mediaTypeOf(r *http.Request) (string, error) {
	unsupported := func(format string, args ...any) error {
		return problem.WithStatus(http.StatusUnsupportedMediaType, api.Errorf(api.Invalid, format, args...))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", unsupported("content encoding %s: send the body uncompressed", api.Clip(encoding))
	}
	given := r.Header.Get("Content-Type")
	if given == "" {
		return typeJSON, nil
	}
	mediaType, params, err := mime.ParseMediaType(given)
	if err != nil || mediaType != typeJSON && mediaType != typeNDJSON {
		return "", unsupported("content type %s: %s and %s are accepted", api.Clip(given), typeJSON, typeNDJSON)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", unsupported("charset %s: JSON is UTF-8", api.Clip(charset))
	}
	return mediaType, nil
}

// split takes a body apart into its records, which may still be anything. plural names the member
// that holds them when they are wrapped in an object.
func split(mediaType, plural string, body []byte) ([][]byte, error) {
	var records [][]byte
	var err error
	if mediaType == typeNDJSON {
		records = splitLines(body)
	} else if records, err = splitJSON(plural, body); err != nil {
		return nil, err
	}
	switch {
	case len(records) == 0:
		return nil, api.Errorf(api.Invalid, "the body holds no record: a JSON object, an array of them, {%q: […]}, or one a line as %s is accepted", plural, typeNDJSON)
	case len(records) > api.MaxBatch:
		return nil, api.Errorf(api.TooLarge, "the body holds %d records: at most %d are accepted in one request", len(records), api.MaxBatch)
	}
	return records, nil
}

// splitLines returns the lines that are not blank.
func splitLines(body []byte) [][]byte {
	var lines [][]byte
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

func splitJSON(plural string, body []byte) ([][]byte, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, nil
	}
	var list []jsontext.Value
	switch wraps, err := isWrapped(plural, body); {
	case err != nil:
		return nil, malformed(err)
	case wraps:
		var members map[string][]jsontext.Value
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, malformed(err)
		}
		if len(members) != 1 {
			return nil, api.Errorf(api.Invalid, "the body has members beside %q, which are not understood", plural)
		}
		list = members[plural]
	case body[0] == '[':
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, malformed(err)
		}
	default:
		return [][]byte{body}, nil
	}
	records := make([][]byte, len(list))
	for i, v := range list {
		records[i] = v
	}
	return records, nil
}

// isWrapped reports whether the body is an object whose first member is the plural.
func isWrapped(plural string, body []byte) (bool, error) {
	if body[0] != '{' {
		return false, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if _, err := d.ReadToken(); err != nil {
		return false, err
	}
	name, err := d.ReadToken()
	if err != nil {
		return false, err
	}
	return name.Kind() == '"' && name.String() == plural, nil
}

func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return api.Errorf(api.Invalid, "the body is not strict JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
	}
	return api.Errorf(api.Invalid, "the body is not understood: %w", fmt.Errorf("an array of objects is required: %w", err))
}
