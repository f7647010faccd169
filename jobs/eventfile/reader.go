// Package eventfile reads and writes files of events, catalog records and profiles.
//
// Three formats are read, recognised by the file's content and its name, each also compressed with
// gzip, each in one streaming pass:
//
//   - CSV with a header. Columns of events: event_id (may be missing or empty), user_id, item_id, type,
//     value, event_time, session_id, context.NAME and properties.NAME. Columns of items and users: item_id or
//     user_id, any other column is an attribute; several tags are separated by "|".
//   - JSON lines: one event.Event, event.Item or event.User a line. An event_id may be missing.
//   - MovieLens 100K: u.data, u.item and u.user as GroupLens publishes them.
//
// In CSV an empty cell means absent. A cell of properties or of an attribute is true, false or a
// number if it looks like one in JSON (up to 15 digits, so that long ids and 007 stay texts), else a
// text; a text that would be mistaken is written as a JSON string, such as "42" with its quotes.
//
// A bad row is a *RowError and reading may go on after it; every other error ends the file. The
// texts of a row share memory with the row's line: clone what outlives it.
package eventfile

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
	MovieLens Format = "movielens" // read only
)

// Row is one record and the line on which it begins, counted from 1.
type Row[T any] struct {
	Line   int
	Record T
}

// RowError says what is wrong with one row of a file. Its cause is an *event.Rejection.
type RowError struct {
	File      string
	Line      int
	Rejection *event.Rejection
}

// Error names file, line, field, value and what is accepted.
func (e *RowError) Error() string {
	return fmt.Sprintf("%s line %d: %s", e.File, e.Line, e.Rejection.Error())
}

// Unwrap returns the rejection.
func (e *RowError) Unwrap() error { return e.Rejection }

// Reader reads the records of one file in order. It is not safe for concurrent use.
type Reader[T any] struct {
	name   string
	format Format
	rows   source[T]
	input  *counter
	closer io.Closer
	ended  error
}

// source yields records. A rejection is a bad row; an error is the end of the file (io.EOF) or fatal.
type source[T any] interface {
	next() (record T, line int, rej *event.Rejection, err error)
}

// OpenEvents opens a file of events. Errors about the file's content carry api.Invalid.
func OpenEvents(path string) (*Reader[event.Event], error) { return open(path, events()) }

// OpenItems opens a file of catalog records.
func OpenItems(path string) (*Reader[event.Item], error) { return open(path, items()) }

// OpenUsers opens a file of profiles.
func OpenUsers(path string) (*Reader[event.User], error) { return open(path, users()) }

// ReadEvents reads events from r; name stands for the file in messages and tells the format.
func ReadEvents(name string, r io.Reader) (*Reader[event.Event], error) {
	return newReader(name, r, events())
}

// ReadItems reads catalog records from r, as ReadEvents does.
func ReadItems(name string, r io.Reader) (*Reader[event.Item], error) {
	return newReader(name, r, items())
}

// ReadUsers reads profiles from r, as ReadEvents does.
func ReadUsers(name string, r io.Reader) (*Reader[event.User], error) {
	return newReader(name, r, users())
}

func open[T any](path string, k kind[T]) (*Reader[T], error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, api.Errorf(api.NotFound, "open %s: no such file; a file of %s is wanted", path, k.what)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s file: %w", k.what, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // nothing was written
		return nil, api.Errorf(api.Invalid, "open %s: it is a folder; a file of %s is wanted", path, k.what)
	}
	r, err := newReader(path, f, k)
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	r.closer = f
	return r, nil
}

// Format returns the format that was recognised.
func (r *Reader[T]) Format() Format { return r.format }

// BytesRead returns how much of the file (compressed, if it is) has been taken in; for progress.
func (r *Reader[T]) BytesRead() int64 { return r.input.n }

// Next returns the next row. At the end the error is io.EOF. A *RowError concerns one row: Next
// may be called again. After any other error the same error is returned for ever.
func (r *Reader[T]) Next() (Row[T], error) {
	if r.ended != nil {
		return Row[T]{}, r.ended
	}
	record, line, rej, err := r.rows.next()
	switch {
	case errors.Is(err, io.EOF):
		r.ended = io.EOF
	case err != nil:
		r.ended = fmt.Errorf("read %s at line %d: %w", r.name, line, err)
	case rej != nil:
		return Row[T]{Line: line}, &RowError{File: r.name, Line: line, Rejection: rej}
	}
	return Row[T]{Line: line, Record: record}, r.ended
}

// All returns the remaining rows. A bad row comes with its *RowError and reading goes on; after any
// other error the sequence ends.
func (r *Reader[T]) All() iter.Seq2[Row[T], error] {
	return func(yield func(Row[T], error) bool) {
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(row, err) || r.ended != nil {
				return
			}
		}
	}
}

// Close closes the file that Open opened.
func (r *Reader[T]) Close() error {
	if r.closer == nil {
		return nil
	}
	if err := r.closer.Close(); err != nil {
		return fmt.Errorf("close %s: %w", r.name, err)
	}
	return nil
}
