// Package trainset reads spines and writes training sets. A spine is a list of rows, each of which names a
// user or an item (or both) and an instant; every other column, such as a label, is carried over as it
// stands. A training set is the spine with the features that were known at each row's instant.
package trainset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// The columns of a spine that mean something.
const (
	userColumn = "user_id"
	itemColumn = "item_id"
	timeColumn = "time"
)

// Spine is the rows to which features are joined.
type Spine struct {
	Columns []string // in the order of the file; of JSON lines: sorted
	Rows    []Row
}

// Row is one row of a spine.
type Row struct {
	User, Item string // "" where the spine has no such column
	Time       int64  // Unix ms
	Cells      []string
	JSON       []string // the cells as they stand in JSON lines, nil for CSV
}

// Member returns the row's user or item.
func (r *Row) Member(e feature.Entity) string {
	if e == feature.User {
		return r.User
	}
	return r.Item
}

// Members returns the different users or items of the spine, sorted.
func (s *Spine) Members(e feature.Entity) []string {
	ids := map[string]struct{}{}
	for i := range s.Rows {
		if id := s.Rows[i].Member(e); id != "" {
			ids[id] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// Latest returns the latest instant of the spine.
func (s *Spine) Latest() (t int64) {
	for i := range s.Rows {
		t = max(t, s.Rows[i].Time)
	}
	return t
}

// Read reads a spine: CSV with a header, or JSON lines (.jsonl). Errors name the line.
func Read(path string) (*Spine, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &Spine{}
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".jsonl" || ext == ".ndjson" || ext == ".json" {
		err = s.readJSON(f)
	} else {
		err = s.readCSV(f)
	}
	if err == nil && len(s.Rows) == 0 {
		err = errors.New("it has no row")
	}
	if err != nil {
		return nil, fmt.Errorf("spine %s: %w", path, err)
	}
	return s, nil
}

func (s *Spine) readCSV(in io.Reader) error {
	r := csv.NewReader(bufio.NewReaderSize(in, 1<<16))
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	s.Columns = header
	if err := s.checkColumns(); err != nil {
		return err
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := r.FieldPos(0)
		if err == nil {
			err = s.add(cells)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func (s *Spine) readJSON(in io.Reader) error {
	d := jsontext.NewDecoder(bufio.NewReaderSize(in, 1<<16))
	for line := 1; ; line++ {
		var object map[string]jsontext.Value
		err := json.UnmarshalDecode(d, &object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && s.Columns == nil {
			s.Columns = slices.Sorted(maps.Keys(object))
			err = s.checkColumns()
		}
		if err == nil {
			err = s.addObject(object)
		}
		if err != nil {
			return fmt.Errorf("object %d: %w", line, err)
		}
	}
}

// addObject adds a JSON object, which has the columns of the first one at most.
func (s *Spine) addObject(object map[string]jsontext.Value) error {
	cells, raw := make([]string, len(s.Columns)), make([]string, len(s.Columns))
	for name, v := range object {
		i, known := slices.BinarySearch(s.Columns, name)
		if !known {
			return fmt.Errorf("column %q is not in the first object", api.Clip(name))
		}
		raw[i] = string(v)
		switch v.Kind() {
		case '"':
			if err := json.Unmarshal(v, &cells[i]); err != nil {
				return err
			}
		case 'n':
		default:
			cells[i] = string(v)
		}
	}
	if err := s.add(cells); err != nil {
		return err
	}
	s.Rows[len(s.Rows)-1].JSON = raw
	return nil
}

func (s *Spine) checkColumns() error {
	if !slices.Contains(s.Columns, timeColumn) {
		return fmt.Errorf("columns %v: %s is required, the instant of which features are read", s.Columns, timeColumn)
	}
	if !slices.Contains(s.Columns, userColumn) && !slices.Contains(s.Columns, itemColumn) {
		return fmt.Errorf("columns %v: %s or %s is required", s.Columns, userColumn, itemColumn)
	}
	seen := map[string]bool{}
	for _, c := range s.Columns {
		if seen[c] {
			return fmt.Errorf("column %q stands twice", api.Clip(c))
		}
		seen[c] = true
	}
	return nil
}

func (s *Spine) add(cells []string) error {
	r := Row{Cells: cells}
	for i, name := range s.Columns {
		var err error
		switch name {
		case userColumn:
			r.User, err = id(name, cells[i])
		case itemColumn:
			r.Item, err = id(name, cells[i])
		case timeColumn:
			r.Time, err = instant(cells[i])
		}
		if err != nil {
			return err
		}
	}
	s.Rows = append(s.Rows, r)
	return nil
}

func id(column, text string) (string, error) {
	if rej := event.CheckID(column, text); rej != nil {
		return "", rej
	}
	return text, nil
}

// instant reads a date, which is its first moment, an RFC 3339 text, or Unix milliseconds.
func instant(text string) (int64, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.UnixMilli(), nil
	}
	m, err := event.ParseMillis(text)
	return int64(m), err
}
