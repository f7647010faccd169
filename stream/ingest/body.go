package ingest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/infra/problem"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// The content types of a body.
const (
	typeJSON     = event.ContentTypeJSON
	typeNDJSON   = "application/x-ndjson"
	typeProtobuf = event.ContentTypeProtobuf
)

// readBody reads a request's body within the limit and returns its media type, one of the accepted
// ones, with it.
func readBody(w http.ResponseWriter, r *http.Request, accepted []string) (mediaType string, body []byte, err error) {
	if mediaType, err = mediaTypeOf(r, accepted); err != nil {
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

func mediaTypeOf(r *http.Request, accepted []string) (string, error) {
	unsupported := func(format string, args ...any) error {
		return problem.WithStatus(http.StatusUnsupportedMediaType, api.Errorf(api.Invalid, format, args...))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", unsupported("content encoding %s: send the body uncompressed", api.Clip(encoding))
	}
	given := r.Header.Get("Content-Type")
	if given == "" {
		return "", unsupported("no content type: say with the header Content-Type whether the body is %s", strings.Join(accepted, " or "))
	}
	mediaType, params, err := mime.ParseMediaType(given)
	if err != nil || !slices.Contains(accepted, mediaType) {
		return "", unsupported("content type %s: %s are accepted", api.Clip(given), strings.Join(accepted, " and "))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", unsupported("charset %s: JSON is UTF-8", api.Clip(charset))
	}
	return mediaType, nil
}

// split takes a body apart into its records, which may still be anything. plural names the member
// that holds them when they are wrapped in an object. It stops at the first record too many: a body of
// records of a byte or two must not cost a hundred times its size.
func split(mediaType, plural string, body []byte) ([][]byte, error) {
	var records [][]byte
	var err error
	switch mediaType {
	case typeNDJSON:
		records = splitLines(body)
	case typeProtobuf:
		records, err = splitProtobuf(body)
	default:
		records, err = splitJSON(plural, bytes.TrimSpace(body))
	}
	if err != nil {
		return nil, err
	}
	switch {
	case len(records) == 0:
		return nil, api.Errorf(api.Invalid, "the body holds no record: a JSON object, an array of them, {%q: […]}, or one a line as %s is accepted", plural, typeNDJSON)
	case len(records) > api.MaxBatch:
		return nil, api.Errorf(api.TooLarge, "the body holds more than %d records: send them in several requests", api.MaxBatch)
	}
	return records, nil
}

// splitLines returns the lines that are not blank, at most one more than are accepted.
func splitLines(body []byte) [][]byte {
	var lines [][]byte
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
		if len(lines) > api.MaxBatch {
			break
		}
	}
	return lines
}

func splitJSON(plural string, body []byte) ([][]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	d := &walker{Decoder: jsontext.NewDecoder(bytes.NewBuffer(body)), body: body}
	switch wraps, err := isWrapped(plural, body); {
	case err != nil:
		return nil, malformed(err)
	case wraps:
		return d.wrapped(plural)
	case body[0] == '[':
		records, err := d.array()
		if err != nil || len(records) > api.MaxBatch {
			return records, err
		}
		return records, d.end()
	}
	return [][]byte{body}, nil
}

// walker takes a body apart without copying it.
type walker struct {
	*jsontext.Decoder
	body []byte
}

// array returns the values of the array that begins here, at most one more than are accepted.
func (d *walker) array() ([][]byte, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	var records [][]byte
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, malformed(err)
		}
		end := int(d.InputOffset())
		records = append(records, d.body[end-len(v):end:end])
		if len(records) > api.MaxBatch {
			return records, nil
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	return records, nil
}

// wrapped returns the values of the array that is the only member of the body.
func (d *walker) wrapped(plural string) (records [][]byte, err error) {
	for range 2 { // the brace and the name, which isWrapped has seen
		if _, err := d.ReadToken(); err != nil {
			return nil, malformed(err)
		}
	}
	switch d.PeekKind() {
	case '[':
		if records, err = d.array(); err != nil || len(records) > api.MaxBatch {
			return records, err
		}
	case 'n':
		if _, err := d.ReadToken(); err != nil {
			return nil, malformed(err)
		}
	default:
		if _, err := d.ReadValue(); err != nil {
			return nil, malformed(err)
		}
		return nil, api.Errorf(api.Invalid, "the body is not understood: %q is no array: an array of objects is required", plural)
	}
	next, err := d.ReadToken()
	switch {
	case err != nil:
		return nil, malformed(err)
	case next.Kind() != '}':
		return nil, api.Errorf(api.Invalid, "the body has members beside %q, which are not understood", plural)
	}
	return records, d.end()
}

// end fails where something follows the value.
func (d *walker) end() error {
	at := d.InputOffset()
	if len(bytes.TrimSpace(d.body[at:])) > 0 {
		return api.Errorf(api.Invalid, "the body is not strict JSON at byte %d: something follows the value", at)
	}
	return nil
}

// isWrapped reports whether the body is an object whose first member is the plural.
func isWrapped(plural string, body []byte) (bool, error) {
	if body[0] != '{' {
		return false, nil
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
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
	return api.Errorf(api.Invalid, "the body is not strict JSON: %w", err)
}
