package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goccy/bigquery-emulator/types"
	bigqueryv2 "google.golang.org/api/bigquery/v2"
)

// rows reads a table's rows from wherever they are.
func rows(t Table, fields []*bigqueryv2.TableFieldSchema) (types.Data, error) {
	if t.File == "" {
		data := make(types.Data, len(t.Rows))
		for i, row := range t.Rows {
			values, err := rowOf(row, fields)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", i, err)
			}
			data[i] = values
		}
		return data, nil
	}
	if len(t.Rows) > 0 {
		return nil, errors.New("it has rows and file: want one of them")
	}
	switch filepath.Ext(t.File) {
	case ".jsonl":
		return jsonLines(t.File, fields)
	case ".parquet":
		return parquetRows(t.File, fields)
	}
	return nil, fmt.Errorf("file %s: want *.jsonl or *.parquet", t.File)
}

func jsonLines(path string, fields []*bigqueryv2.TableFieldSchema) (types.Data, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data types.Data
	for d := json.NewDecoder(f); ; {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return data, nil
		} else if err != nil {
			return nil, fmt.Errorf("file %s, row %d: %w", path, len(data), err)
		}
		row, err := positional(raw, fields)
		if err != nil {
			return nil, fmt.Errorf("file %s, row %d: %w", path, len(data), err)
		}
		values, err := rowOf(row, fields)
		if err != nil {
			return nil, fmt.Errorf("file %s, row %d: %w", path, len(data), err)
		}
		data = append(data, values)
	}
}

// positional reads a row that is an array, or an object by column name.
func positional(raw json.RawMessage, fields []*bigqueryv2.TableFieldSchema) ([]json.RawMessage, error) {
	if !bytes.HasPrefix(raw, []byte("{")) {
		var row []json.RawMessage
		return row, json.Unmarshal(raw, &row)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	row := make([]json.RawMessage, len(fields))
	for i, f := range fields {
		row[i] = object[f.Name]
	}
	return row, nil
}

func rowOf(row []json.RawMessage, fields []*bigqueryv2.TableFieldSchema) (map[string]any, error) {
	if len(row) != len(fields) {
		return nil, fmt.Errorf("%d values for %d columns", len(row), len(fields))
	}
	values := make(map[string]any, len(row))
	for i, raw := range row {
		value, err := encode(raw, fields[i], fields[i].Mode == string(types.RepeatedMode))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", fields[i].Name, err)
		}
		values[fields[i].Name] = value
	}
	return values, nil
}

// encode makes the Go value that the emulator stores for a column.
func encode(raw json.RawMessage, field *bigqueryv2.TableFieldSchema, repeated bool) (any, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	if repeated {
		var elements []json.RawMessage
		if err := json.Unmarshal(raw, &elements); err != nil {
			return nil, fmt.Errorf("an array: %w", err)
		}
		out := make([]any, len(elements))
		for i, e := range elements {
			value, err := encode(e, field, false)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			out[i] = value
		}
		return out, nil
	}
	return stored(text(raw), field.Type)
}

// stored is a scalar's Go value, from its text.
func stored(text, kind string) (any, error) {
	switch kind {
	case "INTEGER":
		return strconv.ParseInt(text, 10, 64)
	case "FLOAT":
		return strconv.ParseFloat(text, 64)
	case "BOOLEAN":
		return strconv.ParseBool(text)
	case "NUMERIC", "BIGNUMERIC":
		// Handing it over as a big.Rat hangs the emulator, as text it takes it for a time.
		return nil, fmt.Errorf("the emulator loads no %s: load a STRING and cast it in the query", kind)
	case "BYTES":
		return base64.StdEncoding.DecodeString(text)
	case "TIMESTAMP":
		return time.Parse(time.RFC3339Nano, text)
	}
	return text, nil
}
