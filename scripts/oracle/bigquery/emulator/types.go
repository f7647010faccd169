package emulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/bigquery-emulator/types"
	bigqueryv2 "google.golang.org/api/bigquery/v2"
)

// scalars are the types that a column or a parameter may have, besides arrays and structs of them.
var scalars = []string{
	"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "BOOL", "STRING", "BYTES",
	"DATE", "DATETIME", "TIME", "TIMESTAMP", "JSON",
}

// restNames are the types that the REST interface names otherwise than the language.
var restNames = map[string]string{"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}

// parseColumn reads a type as the language writes it.
func parseColumn(c Column) (*bigqueryv2.TableFieldSchema, error) {
	if c.Name == "" {
		return nil, fmt.Errorf("the column has no name")
	}
	field := &bigqueryv2.TableFieldSchema{Name: c.Name, Mode: string(types.NullableMode)}
	text := strings.TrimSpace(c.Type)
	if inner, ok := argument(text, "ARRAY"); ok {
		field.Mode, text = string(types.RepeatedMode), inner
	}
	inner, ok := argument(text, "STRUCT")
	if !ok {
		name := strings.ToUpper(text)
		if !slices.Contains(scalars, name) {
			return nil, fmt.Errorf("type %q: want one of %s, ARRAY<type>, STRUCT<name type, …>", c.Type, strings.Join(scalars, ", "))
		}
		field.Type = name
		if rest, ok := restNames[name]; ok {
			field.Type = rest
		}
		return field, nil
	}
	field.Type = string(types.RECORD)
	for _, part := range splitFields(inner) {
		name, kind, ok := strings.Cut(strings.TrimSpace(part), " ")
		if !ok {
			return nil, fmt.Errorf("type %q: field %q: want \"name type\"", c.Type, part)
		}
		sub, err := parseColumn(Column{Name: name, Type: kind})
		if err != nil {
			return nil, err
		}
		field.Fields = append(field.Fields, sub)
	}
	return field, nil
}

// argument returns the inside of "NAME<inside>".
func argument(text, name string) (string, bool) {
	if len(text) < len(name)+2 || !strings.EqualFold(text[:len(name)], name) || text[len(name)] != '<' || text[len(text)-1] != '>' {
		return "", false
	}
	return strings.TrimSpace(text[len(name)+1 : len(text)-1]), true
}

// splitFields parts at the commas that lie in no angle bracket.
func splitFields(text string) []string {
	var parts []string
	depth, start := 0, 0
	for i, r := range text {
		switch r {
		case '<':
			depth++
		case '>':
			depth--
		case ',':
			if depth == 0 {
				parts, start = append(parts, text[start:i]), i+1
			}
		}
	}
	return append(parts, text[start:])
}

// typeName writes a type as the language does.
func typeName(f *bigqueryv2.TableFieldSchema) string {
	name := f.Type
	for language, rest := range restNames {
		if name == rest {
			name = language
		}
	}
	if name == string(types.RECORD) {
		parts := make([]string, len(f.Fields))
		for i, sub := range f.Fields {
			parts[i] = strings.TrimSpace(sub.Name + " " + typeName(sub))
		}
		name = "STRUCT<" + strings.Join(parts, ", ") + ">"
	}
	if f.Mode == string(types.RepeatedMode) {
		name = "ARRAY<" + name + ">"
	}
	return name
}
