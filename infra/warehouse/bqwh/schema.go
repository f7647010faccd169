package bqwh

import (
	"fmt"

	"cloud.google.com/go/bigquery"

	"github.com/anabranch/anabranch/infra/warehouse"
)

// fieldTypes are BigQuery's names of the types.
var fieldTypes = map[warehouse.Type]bigquery.FieldType{
	warehouse.String:      bigquery.StringFieldType,
	warehouse.Int64:       bigquery.IntegerFieldType,
	warehouse.Float64:     bigquery.FloatFieldType,
	warehouse.Bool:        bigquery.BooleanFieldType,
	warehouse.Date:        bigquery.DateFieldType,
	warehouse.Timestamp:   bigquery.TimestampFieldType,
	warehouse.Float64List: bigquery.FloatFieldType, // repeated
}

// metadata describes a table that is to be created.
func metadata(t warehouse.Table) *bigquery.TableMetadata {
	return &bigquery.TableMetadata{
		Description: t.Description,
		Schema:      schema(t),
		TimePartitioning: &bigquery.TimePartitioning{
			Type: bigquery.DayPartitioningType, Field: t.PartitionBy,
		},
		Clustering: clustering(t),
	}
}

func schema(t warehouse.Table) bigquery.Schema {
	s := make(bigquery.Schema, len(t.Columns))
	for i, c := range t.Columns {
		repeated := c.Type == warehouse.Float64List
		s[i] = &bigquery.FieldSchema{
			Name: c.Name, Type: fieldTypes[c.Type], Description: c.Description,
			Repeated: repeated, Required: c.Required && !repeated,
		}
	}
	return s
}

func clustering(t warehouse.Table) *bigquery.Clustering {
	if len(t.ClusterBy) == 0 {
		return nil
	}
	return &bigquery.Clustering{Fields: t.ClusterBy}
}

// definition is the inverse of metadata. A column of a type that this program
// never writes is ErrSchema.
func definition(name string, md *bigquery.TableMetadata) (warehouse.Table, error) {
	t := warehouse.Table{Name: name, Description: md.Description, PartitionBy: warehouse.PartitionColumn}
	if md.Clustering != nil {
		t.ClusterBy = md.Clustering.Fields
	}
	for _, f := range md.Schema {
		ty, ok := columnType(f)
		if !ok {
			return warehouse.Table{}, fmt.Errorf("%w: column %s has BigQuery's type %s, which is not ours",
				warehouse.ErrSchema, f.Name, f.Type)
		}
		t.Columns = append(t.Columns, warehouse.Column{
			Name: f.Name, Type: ty, Description: f.Description, Required: f.Required,
		})
	}
	return t, nil
}

func columnType(f *bigquery.FieldSchema) (warehouse.Type, bool) {
	if f.Repeated {
		return warehouse.Float64List, f.Type == bigquery.FloatFieldType
	}
	for ty, ft := range fieldTypes {
		if ft == f.Type && ty != warehouse.Float64List {
			return ty, true
		}
	}
	return "", false
}
