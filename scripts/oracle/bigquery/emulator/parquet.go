package emulator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/goccy/bigquery-emulator/types"
	"github.com/parquet-go/parquet-go"
	bigqueryv2 "google.golang.org/api/bigquery/v2"
)

// batch is how many rows of a Parquet file are read at a time.
const batch = 256

// leaf is a column of a Parquet file that a table wants.
type leaf struct {
	field *bigqueryv2.TableFieldSchema
	unit  time.Duration // of a TIMESTAMP
}

// parquetRows reads the columns of a flat Parquet file that have the name of one of the fields.
func parquetRows(path string, fields []*bigqueryv2.TableFieldSchema) (types.Data, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader := parquet.NewReader(f)
	defer reader.Close()
	leaves, err := match(reader.Schema(), fields)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", path, err)
	}
	var data types.Data
	for buffer := make([]parquet.Row, batch); ; {
		n, err := reader.ReadRows(buffer)
		for _, row := range buffer[:n] {
			values, err := parquetRow(row, leaves)
			if err != nil {
				return nil, fmt.Errorf("file %s, row %d: %w", path, len(data), err)
			}
			data = append(data, values)
		}
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
}

// match finds the wanted columns by their index in the file.
func match(schema *parquet.Schema, fields []*bigqueryv2.TableFieldSchema) (map[int]leaf, error) {
	leaves := map[int]leaf{}
	for _, field := range fields {
		column, ok := schema.Lookup(field.Name)
		if !ok {
			continue
		}
		if field.Mode == string(types.RepeatedMode) || field.Type == string(types.RECORD) {
			return nil, fmt.Errorf("column %s: only scalars are read from Parquet", field.Name)
		}
		unit := time.Microsecond
		if logical := column.Node.Type().LogicalType(); logical != nil && logical.Timestamp != nil {
			switch {
			case logical.Timestamp.Unit.Millis != nil:
				unit = time.Millisecond
			case logical.Timestamp.Unit.Nanos != nil:
				unit = time.Nanosecond
			}
		}
		leaves[column.ColumnIndex] = leaf{field, unit}
	}
	return leaves, nil
}

func parquetRow(row parquet.Row, leaves map[int]leaf) (map[string]any, error) {
	values := make(map[string]any, len(leaves))
	for _, v := range row {
		leaf, ok := leaves[v.Column()]
		if !ok || v.IsNull() {
			continue
		}
		value, err := leaf.value(v)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", leaf.field.Name, err)
		}
		values[leaf.field.Name] = value
	}
	return values, nil
}

func (l leaf) value(v parquet.Value) (any, error) {
	switch l.field.Type {
	case "STRING", "JSON":
		if v.Kind() == parquet.ByteArray {
			return string(v.ByteArray()), nil
		}
	case "BYTES":
		if v.Kind() == parquet.ByteArray {
			return v.Clone().ByteArray(), nil
		}
	case "BOOLEAN":
		if v.Kind() == parquet.Boolean {
			return v.Boolean(), nil
		}
	case "FLOAT":
		if v.Kind() == parquet.Double {
			return v.Double(), nil
		}
	case "INTEGER":
		if v.Kind() == parquet.Int64 || v.Kind() == parquet.Int32 {
			return v.Int64(), nil
		}
	case "TIMESTAMP":
		if v.Kind() == parquet.Int64 {
			return time.Unix(0, 0).UTC().Add(time.Duration(v.Int64()) * l.unit), nil
		}
	}
	return nil, fmt.Errorf("physical type %s does not read as %s", v.Kind(), l.field.Type)
}
