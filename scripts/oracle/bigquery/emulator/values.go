package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/goccy/bigquery-emulator/types"
	bigqueryv2 "google.golang.org/api/bigquery/v2"
)

// cell and cells are the REST interface's row encoding: {"f": [{"v": …}, …]}, where v is null, a
// string, an array of {"v": …} for an ARRAY, or again {"f": […]} for a STRUCT.
type cell struct {
	V json.RawMessage `json:"v"`
}

type cells struct {
	F []cell `json:"f"`
}

// values decodes a row by its schema.
func (c cells) values(fields []*bigqueryv2.TableFieldSchema) ([]any, error) {
	if len(c.F) != len(fields) {
		return nil, fmt.Errorf("%d values for %d columns", len(c.F), len(fields))
	}
	out := make([]any, len(c.F))
	for i, v := range c.F {
		value, err := decode(v.V, fields[i], fields[i].Mode == string(types.RepeatedMode))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", fields[i].Name, err)
		}
		out[i] = value
	}
	return out, nil
}

func decode(raw json.RawMessage, field *bigqueryv2.TableFieldSchema, repeated bool) (any, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	if repeated {
		var elements []cell
		if err := json.Unmarshal(raw, &elements); err != nil {
			return nil, fmt.Errorf("an array: %w", err)
		}
		out := make([]any, len(elements))
		for i, e := range elements {
			value, err := decode(e.V, field, false)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			out[i] = value
		}
		return out, nil
	}
	if field.Type == string(types.RECORD) {
		var inner cells
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, fmt.Errorf("a struct: %w", err)
		}
		return inner.values(field.Fields)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("a scalar: %w", err)
	}
	return scalar(text, field.Type)
}

// scalar turns the text that the REST interface sends for every scalar into a typed value.
func scalar(text, kind string) (any, error) {
	switch kind {
	case "INTEGER", "INT64":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("an INT64: %w", err)
		}
		return n, nil
	case "FLOAT", "FLOAT64":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("a FLOAT64: %w", err)
		}
		return number(f), nil
	case "BOOLEAN", "BOOL":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("a BOOL: %w", err)
		}
		return b, nil
	}
	return text, nil
}

// number is a float64 as JSON can carry it: the three values that are no JSON numbers are strings.
func number(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}

// queryParameter encodes a named parameter as the REST interface wants it: scalars as strings.
func queryParameter(name string, p Param) (*bigqueryv2.QueryParameter, error) {
	field, err := parseColumn(Column{Name: name, Type: p.Type})
	if err != nil {
		return nil, err
	}
	if field.Type == string(types.RECORD) {
		return nil, fmt.Errorf("type %s: parameters are scalars or arrays of scalars", p.Type)
	}
	kind := &bigqueryv2.QueryParameterType{Type: typeName(&bigqueryv2.TableFieldSchema{Type: field.Type})}
	out := &bigqueryv2.QueryParameter{Name: name, ParameterType: kind}
	null := len(p.Value) == 0 || bytes.Equal(p.Value, []byte("null"))
	if field.Mode != string(types.RepeatedMode) {
		if !null {
			out.ParameterValue = &bigqueryv2.QueryParameterValue{Value: text(p.Value), ForceSendFields: []string{"Value"}}
		}
		return out, nil
	}
	out.ParameterType = &bigqueryv2.QueryParameterType{Type: "ARRAY", ArrayType: kind}
	var elements []json.RawMessage
	if err := json.Unmarshal(p.Value, &elements); err != nil {
		return nil, fmt.Errorf("value of %s: %w", p.Type, err)
	}
	out.ParameterValue = &bigqueryv2.QueryParameterValue{}
	for _, e := range elements {
		out.ParameterValue.ArrayValues = append(out.ParameterValue.ArrayValues,
			&bigqueryv2.QueryParameterValue{Value: text(e), ForceSendFields: []string{"Value"}})
	}
	return out, nil
}

// text is a JSON scalar as plain text: the inside of a string, or the number or boolean as written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
