// Package api is the vocabulary that every entry point of Anabranch answers with: the few error
// codes, mapped once to HTTP statuses (serving/httpapi) and once to exit codes (jobs), and the
// limits that every endpoint validates alike.
package api

import (
	"errors"
	"fmt"
)

// Code classifies an error by what its receiver can do about it.
type Code string

// The codes. Each has exactly one HTTP status and one exit code.
const (
	Invalid     Code = "invalid"     // the caller must change the request: HTTP 400, exit 2
	NotFound    Code = "not_found"   // the named thing does not exist: HTTP 404, exit 1
	TooLarge    Code = "too_large"   // the request exceeds a size limit: HTTP 413, exit 2
	Gate        Code = "gate"        // a quality gate refused: HTTP 422, exit 3
	Superseded  Code = "superseded"  // somebody else moved first: HTTP 409, exit 4
	Locked      Code = "locked"      // somebody else holds it now: HTTP 423, exit 4
	Unavailable Code = "unavailable" // a dependency is away or not there yet: HTTP 503, exit 75
	Internal    Code = "internal"    // a defect or an unclassified failure: HTTP 500, exit 1
)

// Error is a classified error: what its receiver can do about it, and a whole sentence for a person
// that says what was attempted on what, what is accepted, or what to run.
type Error struct {
	Code Code
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the sentence's error, whose own cause is reachable behind it.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error of the given code, formatted as fmt.Errorf does.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code of the outermost classified error in err's chain, Internal when there is
// none, and the empty code for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	return Internal
}
