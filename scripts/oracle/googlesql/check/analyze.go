package check

import (
	"fmt"
	"strings"

	"github.com/goccy/go-googlesql"
)

// analyze type-checks one statement with the options as they stand.
func (c *Checker) analyze(sql string) ([]column, error) {
	output, err := googlesql.AnalyzeStatement(sql, c.options, c.catalog, c.types)
	if err != nil {
		return nil, err
	}
	statement, err := output.ResolvedStatement()
	if err != nil {
		return nil, fmt.Errorf("read the analyzed statement: %w", err)
	}
	query, ok := statement.(*googlesql.ResolvedQueryStmt)
	if !ok {
		return nil, nil
	}
	size, err := query.OutputColumnListSize()
	if err != nil {
		return nil, fmt.Errorf("count the columns: %w", err)
	}
	columns := make([]column, size)
	for i := range columns {
		if columns[i], err = resolved(query, int32(i)); err != nil {
			return nil, fmt.Errorf("read column %d: %w", i, err)
		}
	}
	return columns, nil
}

func resolved(query *googlesql.ResolvedQueryStmt, i int32) (column, error) {
	output, err := query.OutputColumnList2(i)
	if err != nil {
		return column{}, err
	}
	name, err := output.Name()
	if err != nil {
		return column{}, err
	}
	if strings.HasPrefix(name, "$") { // the analyzer's own name for a column without one
		name = ""
	}
	inner, err := output.Column()
	if err != nil {
		return column{}, err
	}
	kind, err := inner.Type()
	return column{name: name, kind: kind}, err
}

// parse reads a type. The binding cannot, so the analyzer does it: as the type of a cast.
func (c *Checker) parse(text string) (googlesql.Googlesql_TypeNode, error) {
	if kind, ok := c.parsed[text]; ok {
		return kind, nil
	}
	columns, err := c.analyze("SELECT CAST(NULL AS " + text + ")")
	if err != nil || len(columns) != 1 {
		return nil, fmt.Errorf("type %q: %w", text, err)
	}
	c.parsed[text] = columns[0].kind
	return columns[0].kind, nil
}

// add puts a table into the catalog. The dots of its name part catalogs within catalogs.
func (c *Checker) add(catalog *googlesql.SimpleCatalog, t Table) error {
	if t.Name == "" || len(t.Columns) == 0 {
		return fmt.Errorf("it has %d columns: want a name and a column at least", len(t.Columns))
	}
	table, err := googlesql.NewSimpleTable(t.Name, 0)
	if err != nil {
		return err
	}
	for _, col := range t.Columns {
		kind, err := c.parse(col.Type)
		if err != nil {
			return fmt.Errorf("column %s: %w", col.Name, err)
		}
		simple, err := googlesql.NewSimpleColumn(t.Name, col.Name, kind, false, true)
		if err != nil {
			return fmt.Errorf("column %s: %w", col.Name, err)
		}
		if err := table.AddColumn2(simple, false); err != nil {
			return fmt.Errorf("column %s: %w", col.Name, err)
		}
	}
	// `a.b.c` in one pair of backquotes is one name to the analyzer, a.b.c is a path: both are found.
	if err := catalog.AddTable2(t.Name, table); err != nil {
		return err
	}
	path := strings.Split(t.Name, ".")
	if len(path) == 1 {
		return nil
	}
	for _, name := range path[:len(path)-1] {
		if catalog, err = c.inner(catalog, name); err != nil {
			return err
		}
	}
	return catalog.AddTable2(path[len(path)-1], table)
}

// inner is the catalog of that name within a catalog.
func (c *Checker) inner(catalog *googlesql.SimpleCatalog, name string) (*googlesql.SimpleCatalog, error) {
	if inner, ok := c.nested[catalog][name]; ok {
		return inner, nil
	}
	inner, err := googlesql.NewSimpleCatalog(name, c.types)
	if err != nil {
		return nil, err
	}
	if err := catalog.AddCatalog2(name, inner); err != nil {
		return nil, err
	}
	if c.nested[catalog] == nil {
		c.nested[catalog] = map[string]*googlesql.SimpleCatalog{}
	}
	c.nested[catalog][name] = inner
	return inner, nil
}
