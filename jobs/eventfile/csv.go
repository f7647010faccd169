package eventfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// maxRow bounds a row of CSV. A quote that is never closed would else take in the whole file.
const maxRow = 1 << 20

// guard stops a reader that has run too far ahead of the last complete row.
type guard struct {
	r         io.Reader
	read, end int64
}

var errLongRow = fmt.Errorf("the row is longer than %d bytes: is a quote left open?", maxRow)

func (g *guard) Read(p []byte) (int, error) {
	if g.read >= g.end {
		return 0, errLongRow
	}
	n, err := g.r.Read(p)
	g.read += int64(n)
	return n, err
}

// csvSource reads rows under a header.
type csvSource[T any] struct {
	r     *csv.Reader
	guard *guard
	set   []setter[T]
	check func(*T) *event.Rejection
	line  int
}

func newCSVSource[T any](name string, in io.Reader, k kind[T]) (*csvSource[T], error) {
	s := &csvSource[T]{guard: &guard{r: in, end: maxRow}, check: k.check}
	s.r = csv.NewReader(bufio.NewReaderSize(s.guard, bufferBytes))
	s.r.ReuseRecord = true
	header, err := s.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, api.Errorf(api.Invalid, "%s is empty: a header is required, with the columns %s at least", name, strings.Join(k.required, ", "))
	}
	if err != nil {
		return nil, api.Errorf(api.Invalid, "%s: read the header: %w", name, err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	s.line, _ = s.r.FieldPos(0)
	if s.set, err = columns(header, k); err != nil {
		return nil, api.Errorf(api.Invalid, "%s line %d: %w", name, s.line, err)
	}
	return s, nil
}

// columns returns what to do with the cells of every column.
func columns[T any](header []string, k kind[T]) ([]setter[T], error) {
	accepted := "accepted are " + strings.Join(k.accepted, ", ")
	known := func(name string) bool { return slices.Contains(k.required, name) }
	if !slices.ContainsFunc(header, known) {
		hint := ""
		if len(header) == 1 && strings.ContainsAny(header[0], ";\t|") {
			hint = "; columns are separated by commas"
		}
		return nil, fmt.Errorf("a header is required; found %s%s; %s", clip(fmt.Sprintf("%q", header)), hint, accepted)
	}
	set := make([]setter[T], len(header))
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("column %q comes twice", clip(name))
		}
		if set[i] = k.column(name); set[i] == nil {
			return nil, fmt.Errorf("unknown column %q%s; %s", clip(name), suggestion(name, k.accepted), accepted)
		}
	}
	for _, name := range k.required {
		if !slices.Contains(header, name) {
			return nil, fmt.Errorf("column %q is missing; required are %s", name, strings.Join(k.required, ", "))
		}
	}
	return set, nil
}

func (s *csvSource[T]) next() (T, int, *event.Rejection, error) {
	var record T
	cells, err := s.r.Read()
	s.guard.end = s.r.InputOffset() + maxRow + bufferBytes
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse) && !errors.Is(err, errLongRow):
		s.line = parse.StartLine
		return record, s.line, s.malformed(parse, len(cells)), nil
	case err != nil:
		return record, s.line + 1, nil, err
	}
	s.line, _ = s.r.FieldPos(0)
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if rej := s.set[i](&record, cell); rej != nil {
			return record, s.line, rej, nil
		}
	}
	return record, s.line, s.check(&record), nil
}

func (s *csvSource[T]) malformed(err *csv.ParseError, cells int) *event.Rejection {
	if errors.Is(err, csv.ErrFieldCount) {
		return refuse(event.ReasonMalformed, "row", "", fmt.Sprintf("it has %d cells; the header has %d", cells, len(s.set)))
	}
	return refuse(event.ReasonMalformed, "row", "", fmt.Sprintf("column %d: %v", err.Column, err.Err))
}

// suggestion names the accepted column that is closest to an unknown one, if any is close.
func suggestion(name string, accepted []string) string {
	plain := slices.DeleteFunc(slices.Clone(accepted), func(a string) bool { return strings.ContainsAny(a, "* ") })
	best, edits := api.Closest(strings.ToLower(name), plain)
	if best == "" || edits > 3 {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}
