package warehouse

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
)

// PartitionColumn is the name of the column by which every table is partitioned.
const PartitionColumn = "epoch_date"

// Type is the type of a column.
type Type string

// The types. Their text is what a manifest stores.
const (
	String    Type = "string"
	Int64     Type = "int64"
	Float64   Type = "float64"
	Bool      Type = "bool"
	Date      Type = "date"      // days
	Timestamp Type = "timestamp" // microseconds, UTC
	// Float64List is a repeated float64. Neither a list nor an element is null.
	Float64List Type = "float64_list"
)

// arrowTypes are the types of ArrowSchema.
func (ty Type) arrow() (arrow.DataType, bool) {
	switch ty {
	case String:
		return arrow.BinaryTypes.String, true
	case Int64:
		return arrow.PrimitiveTypes.Int64, true
	case Float64:
		return arrow.PrimitiveTypes.Float64, true
	case Bool:
		return arrow.FixedWidthTypes.Boolean, true
	case Date:
		return arrow.FixedWidthTypes.Date32, true
	case Timestamp:
		return arrow.FixedWidthTypes.Timestamp_us, true
	case Float64List:
		return arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float64), true
	}
	return nil, false
}

// Column is one column of a table.
type Column struct {
	// Name is lower case: letters, digits and '_'.
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Description is shown to analysts by warehouses that can.
	Description string `json:"description,omitzero"`
	// Required columns have no nulls.
	Required bool `json:"required,omitzero"`
}

// Table is the definition of a table.
type Table struct {
	// Name is lower case: letters, digits and '_'.
	Name        string `json:"name"`
	Description string `json:"description,omitzero"`
	// Columns contain epoch_date as a required Date.
	Columns []Column `json:"columns"`
	// PartitionBy is always PartitionColumn.
	PartitionBy string `json:"partition_by"`
	// ClusterBy names up to four columns by which a partition may be sorted.
	ClusterBy []string `json:"cluster_by,omitzero"`
}

// Validate says what is wrong with a definition; the error is ErrSchema.
func (t Table) Validate() error {
	if err := t.validate(); err != nil {
		return fmt.Errorf("warehouse: table %q: %w: %w", t.Name, ErrSchema, err)
	}
	return nil
}

func (t Table) validate() error {
	if err := validName(t.Name); err != nil {
		return err
	}
	if t.PartitionBy != PartitionColumn {
		return fmt.Errorf("it is partitioned by %q, want %q", t.PartitionBy, PartitionColumn)
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if err := c.validate(); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		if seen[c.Name] {
			return fmt.Errorf("column %q is defined twice", c.Name)
		}
		seen[c.Name] = true
	}
	if c, ok := t.column(PartitionColumn); !ok || c.Type != Date || !c.Required {
		return fmt.Errorf("it lacks a required column %s of type %s", PartitionColumn, Date)
	}
	return t.validateClustering()
}

func (t Table) validateClustering() error {
	if len(t.ClusterBy) > 4 {
		return fmt.Errorf("it is clustered by %d columns, at most 4 are allowed", len(t.ClusterBy))
	}
	for _, name := range t.ClusterBy {
		c, ok := t.column(name)
		if !ok {
			return fmt.Errorf("it is clustered by the unknown column %q", name)
		}
		if c.Type == Float64 || c.Type == Float64List {
			return fmt.Errorf("it is clustered by %q, which is a %s", name, c.Type)
		}
	}
	return nil
}

func (c Column) validate() error {
	if err := validName(c.Name); err != nil {
		return err
	}
	if _, ok := c.Type.arrow(); !ok {
		return fmt.Errorf("unknown type %q", c.Type)
	}
	return nil
}

func (t Table) column(name string) (Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// nullable says whether nulls may occur; a list is never null.
func (c Column) nullable() bool { return !c.Required && c.Type != Float64List }

// ArrowSchema is the schema of the table's rows, in the order of its columns.
func (t Table) ArrowSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.Columns))
	for i, c := range t.Columns {
		dt, _ := c.Type.arrow()
		fields[i] = arrow.Field{Name: c.Name, Type: dt, Nullable: c.nullable()}
	}
	return arrow.NewSchema(fields, nil)
}

// Evolve returns the table that holds the rows of both definitions of it: all
// columns of old, then those that only t has. A column is required where it is
// in both. Another type, or a new column that is required, is ErrSchema.
func Evolve(old, t Table) (Table, error) {
	merged := t
	merged.Columns = nil
	for _, c := range old.Columns {
		now, ok := t.column(c.Name)
		switch {
		case !ok:
			c.Required = false
		case now.Type != c.Type:
			return Table{}, fmt.Errorf("%w: column %s is a %s and cannot become a %s",
				ErrSchema, c.Name, c.Type, now.Type)
		default:
			now.Required = now.Required && c.Required
			c = now
		}
		merged.Columns = append(merged.Columns, c)
	}
	for _, c := range t.Columns {
		if _, ok := old.column(c.Name); ok {
			continue
		}
		if c.Required {
			return Table{}, fmt.Errorf("%w: the new column %s is required, but there may be rows without it", ErrSchema, c.Name)
		}
		merged.Columns = append(merged.Columns, c)
	}
	return merged, nil
}

// names is what BigQuery and file systems take alike.
var names = regexp.MustCompile(`^[a-z][a-z0-9_]{0,127}$`)

func validName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("%w: the name %q is not a lower case letter followed by at most 127 of a-z, 0-9 and _", ErrSchema, name)
	}
	return nil
}

// FormatDate writes a date as 2006-01-02.
func FormatDate(d arrow.Date32) string { return d.ToTime().Format(time.DateOnly) }

// ParseDate reads a date written as 2006-01-02.
func ParseDate(s string) (arrow.Date32, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("date %q is not written as 2006-01-02", s)
	}
	return arrow.Date32FromTime(t), nil
}

// validDate keeps to the years that warehouses know.
func validDate(d arrow.Date32) error {
	if y := d.ToTime().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("the date %d days from 1970-01-01 is not in the years 1 to 9999", d)
	}
	return nil
}
