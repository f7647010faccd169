package eventfile

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
)

// Writer writes events as CSV or JSON lines. It is not safe for concurrent use.
type Writer struct {
	out     *bufio.Writer
	csv     *csv.Writer
	columns []string
	cells   []string
	closers []io.Closer
	json    lineEncoder
	line    []byte // reused
}

// NewWriter returns a writer of events. columns names the context.* and properties.* columns of
// a CSV; JSON lines need none. CSV has no place for an event's stamp and leaves it out.
func NewWriter(w io.Writer, f Format, columns ...string) (*Writer, error) {
	out := &Writer{out: bufio.NewWriterSize(w, bufferBytes)}
	switch f {
	case JSONLines:
		return out, nil
	case CSV:
	default:
		return nil, api.Errorf(api.Invalid, "write events as %q: %s and %s are accepted", f, CSV, JSONLines)
	}
	for _, c := range columns {
		if !strings.HasPrefix(c, contextPrefix) && !strings.HasPrefix(c, propertiesPrefix) {
			return nil, api.Errorf(api.Invalid, "write events: column %q is not accepted: %s* and %s* are", c, contextPrefix, propertiesPrefix)
		}
	}
	out.csv = csv.NewWriter(out.out)
	out.columns = columns
	header := append(eventColumns[:len(eventColumns):len(eventColumns)], columns...)
	out.cells = make([]string, len(header))
	if err := out.csv.Write(header); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return out, nil
}

// Create makes a file of events, in the format that its name ends in: .csv, .jsonl, .ndjson or
// .json, and .gz after that to compress it.
func Create(path string, columns ...string) (*Writer, error) {
	base, zip := strings.CutSuffix(strings.ToLower(path), ".gz")
	format := JSONLines
	switch filepath.Ext(base) {
	case ".csv":
		format = CSV
	case ".jsonl", ".ndjson", ".json":
	default:
		return nil, api.Errorf(api.Invalid, "create %s: names that end in .csv, .jsonl, .ndjson or .json are accepted, with .gz after it to compress", path)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create events file: %w", err)
	}
	var to io.Writer = f
	closers := []io.Closer{f}
	if zip {
		z := gzip.NewWriter(f)
		to, closers = z, []io.Closer{z, f}
	}
	w, err := NewWriter(to, format, columns...)
	if err != nil {
		_ = f.Close() // the error that matters is the first
		return nil, err
	}
	w.closers = closers
	return w, nil
}

// Write writes one event. In CSV it fails for a context or property without a column.
func (w *Writer) Write(e *event.Event) error {
	if w.csv != nil {
		return w.writeCSV(e)
	}
	b, err := w.json.append(w.line[:0], e)
	if err != nil {
		return err
	}
	w.line = append(b, '\n')
	if _, err := w.out.Write(w.line); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

func (w *Writer) writeCSV(e *event.Event) error {
	value := ""
	if e.Value != nil {
		value = formatNumber(*e.Value)
	}
	w.line = e.Time.Time().AppendFormat(w.line[:0], timeLayout)
	fixed := [...]string{e.ID, e.UserID, e.ItemID, e.Type, value, string(w.line), e.SessionID}
	copy(w.cells, fixed[:])
	placed := 0
	for i, c := range w.columns {
		cell := &w.cells[len(fixed)+i]
		*cell = ""
		if key, ok := strings.CutPrefix(c, contextPrefix); ok {
			if s, ok := e.Context[key]; ok {
				*cell = formatText(s)
				placed++
			}
		} else if v, ok := e.Properties[strings.TrimPrefix(c, propertiesPrefix)]; ok {
			*cell = formatScalar(v)
			placed++
		}
	}
	if placed != len(e.Context)+len(e.Properties) {
		return fmt.Errorf("write event as CSV: it has %d entries of context and properties; %d have a column: %s",
			len(e.Context)+len(e.Properties), placed, strings.Join(w.columns, ", "))
	}
	if err := w.csv.Write(w.cells); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// Close writes out what is buffered and closes the file that Create made. A file is complete only
// if Close returned nil.
func (w *Writer) Close() error {
	var errs []error
	if w.csv != nil {
		w.csv.Flush()
		errs = append(errs, w.csv.Error())
	}
	errs = append(errs, w.out.Flush())
	for _, c := range w.closers {
		errs = append(errs, c.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("finish events file: %w", err)
	}
	return nil
}

// WriteItems writes catalog records as JSON lines.
func WriteItems(w io.Writer, records iter.Seq[event.Item]) error {
	return writeLines(w, records, (*event.Item).Encode)
}

// WriteUsers writes profiles as JSON lines.
func WriteUsers(w io.Writer, records iter.Seq[event.User]) error {
	return writeLines(w, records, (*event.User).Encode)
}

func writeLines[T any](w io.Writer, records iter.Seq[T], encode func(*T) ([]byte, error)) error {
	out := bufio.NewWriterSize(w, bufferBytes)
	for r := range records {
		b, err := encode(&r)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("write record: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}
