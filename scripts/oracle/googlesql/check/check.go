package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-googlesql"
)

// Column is a name and a GoogleSQL type, such as "INT64" or "ARRAY<STRUCT<a INT64, b STRING>>".
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Table is a table that a statement may read. Its name may have dots: `project.dataset.name`, which
// the statement then writes in the same way, in backquotes or without.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Request is one statement to check. Params are the types of its named parameters, by name.
type Request struct {
	ID     string            `json:"id,omitempty"`
	SQL    string            `json:"sql"`
	Params map[string]string `json:"params,omitempty"`
	Tables []Table           `json:"tables,omitempty"`
}

// Answer says whether the statement is right, and the columns that it returns. A statement that is
// no query, such as MERGE, has none.
type Answer struct {
	ID      string   `json:"id,omitempty"`
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"` // with [at line:column]
	Columns []Column `json:"columns,omitempty"`
	Millis  float64  `json:"ms"`
}

// Checker analyzes statements. It is for one goroutine.
type Checker struct {
	language *googlesql.LanguageOptions
	options  *googlesql.AnalyzerOptions
	types    *googlesql.TypeFactory
	parsed   map[string]googlesql.Googlesql_TypeNode // types by their text

	tables  string                                                           // the tables of the catalog, as JSON
	catalog *googlesql.SimpleCatalog                                         // functions, and the tables of the last request
	nested  map[*googlesql.SimpleCatalog]map[string]*googlesql.SimpleCatalog // the catalogs within catalogs
}

// New starts the analyzer with BigQuery's language features and functions.
func New() (*Checker, error) {
	if err := googlesql.Init(); err != nil {
		return nil, fmt.Errorf("start the analyzer: %w", err)
	}
	language, err := language()
	if err != nil {
		return nil, fmt.Errorf("set the language's features: %w", err)
	}
	options, err := googlesql.NewAnalyzerOptions(language)
	if err != nil {
		return nil, fmt.Errorf("make the analyzer's options: %w", err)
	}
	if err := errors.Join(
		options.SetParameterMode(googlesql.ParameterModeParameterNamed),
		options.SetErrorMessageMode(googlesql.ErrorMessageModeErrorMessageOneLine),
	); err != nil {
		return nil, fmt.Errorf("set the analyzer's options: %w", err)
	}
	types, err := googlesql.NewTypeFactory()
	if err != nil {
		return nil, fmt.Errorf("make the type factory: %w", err)
	}
	c := &Checker{language: language, options: options, types: types, parsed: map[string]googlesql.Googlesql_TypeNode{}}
	return c, c.use(nil)
}

// Check analyzes one statement and returns the columns of its result.
func (c *Checker) Check(r Request) ([]Column, error) {
	if strings.TrimSpace(r.SQL) == "" {
		return nil, errors.New("sql is empty: want one statement")
	}
	if err := c.use(r.Tables); err != nil {
		return nil, err
	}
	if err := c.options.ClearQueryParameters(); err != nil {
		return nil, fmt.Errorf("clear the parameters: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		kind, err := c.parse(r.Params[name])
		if err != nil {
			return nil, fmt.Errorf("parameter @%s: %w", name, err)
		}
		if err := c.options.AddQueryParameter(name, kind); err != nil {
			return nil, fmt.Errorf("parameter @%s: %w", name, err)
		}
	}
	output, err := c.analyze(r.SQL)
	if err != nil {
		return nil, err
	}
	columns := make([]Column, len(output))
	for i, o := range output {
		named, ok := o.kind.(typed)
		if !ok {
			return nil, fmt.Errorf("column %d: a %T has no type name", i, o.kind)
		}
		name, err := named.TypeName(googlesql.ProductModeProductExternal)
		if err != nil {
			return nil, fmt.Errorf("type of column %d: %w", i, err)
		}
		columns[i] = Column{Name: o.name, Type: name}
	}
	return columns, nil
}

// use makes the catalog of these tables, unless it is the one in use: making one costs several
// times what a statement does, and callers mostly check many statements over the same tables.
func (c *Checker) use(tables []Table) error {
	text, err := json.Marshal(tables)
	if err != nil {
		return fmt.Errorf("compare the tables: %w", err)
	}
	if c.catalog != nil && c.tables == string(text) {
		return nil
	}
	catalog, err := googlesql.NewSimpleCatalog("catalog", c.types)
	if err != nil {
		return fmt.Errorf("make the catalog: %w", err)
	}
	functions := &googlesql.BuiltinFunctionOptions{LanguageOptions: c.language}
	if err := catalog.AddBuiltinFunctionsAndTypes(functions); err != nil {
		return fmt.Errorf("add the functions: %w", err)
	}
	c.catalog, c.tables = catalog, ""
	c.nested = map[*googlesql.SimpleCatalog]map[string]*googlesql.SimpleCatalog{}
	for _, t := range tables {
		if err := c.add(catalog, t); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	c.tables = string(text)
	return nil
}

// column is a column of a statement's result.
type column struct {
	name string
	kind googlesql.Googlesql_TypeNode
}

// typed is what every concrete type can do, but the binding's interface lacks.
type typed interface {
	TypeName(mode googlesql.ProductMode) (string, error)
}
