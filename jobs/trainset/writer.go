package trainset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Writer writes a training set. The file appears under its name when Close has succeeded, not before.
type Writer struct {
	path    string
	file    *os.File
	format  format
	closed  bool
	columns []Column
}

// format writes rows of one kind of file.
type format interface {
	write(r *Row, values []agg.Value) error
	close() error
}

// Create begins a file, whose name ends in .parquet, .csv or .jsonl.
func Create(path string, s *Spine, columns []Column) (*Writer, error) {
	for _, c := range columns {
		for _, have := range s.Columns {
			if have == c.Name {
				return nil, fmt.Errorf("the spine has a column %s, which is a feature's name: rename it, or choose features with --only", have)
			}
		}
	}
	ext := strings.ToLower(filepath.Ext(path))
	if ext != ".parquet" && ext != ".csv" && ext != ".jsonl" {
		return nil, fmt.Errorf("%s: a name ending in .parquet, .csv or .jsonl is accepted", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, file: f, columns: columns}
	switch ext {
	case ".csv":
		w.format, err = newCSV(f, s, columns)
	case ".jsonl":
		w.format = &jsonFormat{out: bufio.NewWriterSize(f, 1<<16), spine: s, columns: columns}
	default:
		w.format, err = newParquet(f, s, columns)
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Write adds a row with the values of the columns.
func (w *Writer) Write(r *Row, values []agg.Value) error {
	if err := w.format.write(r, values); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	return nil
}

// Close ends the file and gives it its name.
func (w *Writer) Close() error {
	w.closed = true
	err := errors.Join(w.format.close(), w.file.Sync(), w.file.Close())
	if err == nil {
		err = os.Rename(w.file.Name(), w.path)
	}
	if err != nil {
		_ = os.Remove(w.file.Name())
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	return nil
}

// Abort removes what was written, unless Close was called.
func (w *Writer) Abort() {
	if !w.closed {
		w.closed = true
		_ = w.file.Close()
		_ = os.Remove(w.file.Name())
	}
}

type csvFormat struct {
	out   *csv.Writer
	cells []string
}

func newCSV(f *os.File, s *Spine, columns []Column) (*csvFormat, error) {
	c := &csvFormat{out: csv.NewWriter(f)}
	header := append([]string(nil), s.Columns...)
	for _, x := range columns {
		header = append(header, x.Name)
	}
	return c, c.out.Write(header)
}

func (c *csvFormat) write(r *Row, values []agg.Value) error {
	c.cells = append(c.cells[:0], r.Cells...)
	for _, v := range values {
		text, isText := v.Text()
		switch {
		case v.IsNull():
			text = ""
		case !isText:
			text = v.String()
			if v.Kind() == agg.KindTime {
				text = strings.Trim(text, `"`)
			}
		}
		c.cells = append(c.cells, text)
	}
	return c.out.Write(c.cells)
}

func (c *csvFormat) close() error {
	c.out.Flush()
	return c.out.Error()
}

type jsonFormat struct {
	out     *bufio.Writer
	spine   *Spine
	columns []Column
	line    []byte
}

func (j *jsonFormat) write(r *Row, values []agg.Value) (err error) {
	line := append(j.line[:0], '{')
	for i, name := range j.spine.Columns {
		if line, err = member(line, name, i == 0); err != nil {
			return err
		}
		if line, err = appendCell(line, r, i); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	for i, v := range values {
		if line, err = member(line, j.columns[i].Name, false); err != nil {
			return err
		}
		line = append(line, v.String()...)
	}
	j.line = append(line, '}', '\n')
	_, err = j.out.Write(j.line)
	return err
}

// appendCell writes a cell of the spine as it stood there.
func appendCell(line []byte, r *Row, i int) ([]byte, error) {
	switch {
	case r.JSON == nil:
		return jsontext.AppendQuote(line, r.Cells[i])
	case r.JSON[i] == "":
		return append(line, "null"...), nil
	}
	return append(line, r.JSON[i]...), nil
}

// member begins a member of an object.
func member(line []byte, name string, first bool) ([]byte, error) {
	if !first {
		line = append(line, ',')
	}
	line, err := jsontext.AppendQuote(line, name)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", name, err)
	}
	return append(line, ':'), nil
}

func (j *jsonFormat) close() error { return j.out.Flush() }
