// Package rowfile turns Arrow records into one Parquet file and back.
//
// The bytes of a file depend on its rows and their order only, not on how they
// were cut into records, nor on the time or the machine.
package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// groupRows is the number of rows of a row group.
const groupRows = 1 << 17

// Encode reads all records and returns the file and its number of rows.
func Encode(schema *arrow.Schema, rows array.RecordReader) (data []byte, n int64, err error) {
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &buf, properties(schema), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, 0, fmt.Errorf("create Parquet file: %w", err)
	}
	g := &grouper{schema: schema, write: w.Write}
	defer g.release()
	for rows.Next() {
		n += rows.Record().NumRows()
		if err := g.add(rows.Record()); err != nil {
			return nil, 0, fmt.Errorf("write Parquet file: %w", err)
		}
	}
	if err := rows.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("read the rows to write: %w", err)
	}
	if err := errors.Join(g.flush(), w.Close()); err != nil {
		return nil, 0, fmt.Errorf("write Parquet file: %w", err)
	}
	return buf.Bytes(), n, nil
}

// properties are those of the file. Arrow v17 writes the encodings of a column's
// pages in the random order of a Go map when there are several, as when a
// dictionary grows too large halfway. So each column has one for all pages: a
// dictionary without limit (row groups are small) for strings, plain otherwise.
// Snappy, because Arrow v17 builds a zstd encoder anew for every page: measured, a
// third of the CPU of many small partitions.
func properties(schema *arrow.Schema) *parquet.WriterProperties {
	options := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithCreatedBy("anabranch"),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithDictionaryDefault(false),
		parquet.WithDictionaryPageSizeLimit(math.MaxInt64),
	}
	for _, field := range schema.Fields() {
		if field.Type.ID() == arrow.STRING {
			options = append(options, parquet.WithDictionaryFor(field.Name, true))
		}
	}
	return parquet.NewWriterProperties(options...)
}

// grouper collects records into records of exactly groupRows rows (the last may
// have fewer), each of which becomes a row group.
type grouper struct {
	schema *arrow.Schema
	write  func(arrow.Record) error
	parts  []arrow.Record
	rows   int64
}

func (g *grouper) add(rec arrow.Record) error {
	for from := int64(0); from < rec.NumRows(); {
		to := min(rec.NumRows(), from+groupRows-g.rows)
		g.parts = append(g.parts, rec.NewSlice(from, to))
		g.rows += to - from
		from = to
		if g.rows == groupRows {
			if err := g.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what was collected. It copies: slices of a list column with an
// offset would otherwise reach the Parquet writer.
func (g *grouper) flush() error {
	if g.rows == 0 {
		return nil
	}
	defer g.release()
	columns := make([]arrow.Array, g.schema.NumFields())
	defer func() { releaseAll(columns) }()
	for i := range columns {
		chunks := make([]arrow.Array, len(g.parts))
		for p, part := range g.parts {
			chunks[p] = part.Column(i)
		}
		column, err := array.Concatenate(chunks, memory.DefaultAllocator)
		if err != nil {
			return fmt.Errorf("column %s: %w", g.schema.Field(i).Name, err)
		}
		columns[i] = column
	}
	rec := array.NewRecord(g.schema, columns, g.rows)
	defer rec.Release()
	return g.write(rec)
}

func (g *grouper) release() {
	for _, part := range g.parts {
		part.Release()
	}
	g.parts, g.rows = nil, 0
}

func releaseAll(columns []arrow.Array) {
	for _, column := range columns {
		if column != nil {
			column.Release()
		}
	}
}
