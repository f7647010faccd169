package rawparquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/xitongsys/parquet-go/layout"
	"github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/schema"
	"github.com/xitongsys/parquet-go/writer"

	"github.com/anabranch/anabranch/schemas/event"
)

const (
	// groupRows bounds a row group, and with it what a reader holds at a time.
	groupRows = 1 << 17
	pageBytes = 256 << 10
)

// Encode returns the Parquet file of rows, with meta (see Span.Meta) in its footer. Texts must be
// valid UTF-8 except Payload, which may be any bytes.
func Encode(rows []event.Raw, meta map[string]string) ([]byte, error) {
	var out bytes.Buffer
	pw, err := writer.NewParquetWriterFromWriter(&out, new(event.Raw), 1)
	if err != nil {
		return nil, fmt.Errorf("encode raw file: %w", err)
	}
	if err := checkColumns(pw); err != nil {
		return nil, fmt.Errorf("encode raw file: %w", err)
	}
	pw.CompressionType = parquet.CompressionCodec_ZSTD
	pw.PageSize = pageBytes
	pw.RowGroupSize = 1 << 62 // writeGroup decides
	for group := range slices.Chunk(rows, groupRows) {
		if err := writeGroup(pw, group); err != nil {
			return nil, fmt.Errorf("encode raw file of %d rows: %w", len(rows), err)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		v := meta[k]
		pw.Footer.KeyValueMetadata = append(pw.Footer.KeyValueMetadata, &parquet.KeyValue{Key: k, Value: &v})
	}
	if err := writeFooter(&out, pw); err != nil {
		return nil, fmt.Errorf("encode raw file of %d rows: %w", len(rows), err)
	}
	return out.Bytes(), nil
}

// checkColumns compares the schema that the library derived from event.Raw with event.RawColumns, and
// prepares it: the library counts nulls wrongly in the pages of dictionary columns, so that these get
// no statistics at all.
func checkColumns(pw *writer.ParquetWriter) error {
	infos := pw.SchemaHandler.Infos
	if len(infos) != len(event.RawColumns)+1 {
		return fmt.Errorf("event.Raw has %d columns, event.RawColumns %d", len(infos)-1, len(event.RawColumns))
	}
	for i, name := range event.RawColumns {
		if infos[i+1].ExName != name {
			return fmt.Errorf("column %d of event.Raw is %q, of event.RawColumns %q", i, infos[i+1].ExName, name)
		}
		infos[i+1].OmitStats = isDict(infos[i+1].Encoding) || unbounded(name)
	}
	return nil
}

// unbounded reports whether a column holds what anybody sent, of any size. The library writes a page's least and
// greatest value twice each into its header, and readers give up on headers of some megabytes: statistics of one
// rejected record of 1 MB made the file unreadable (found by row 1 of jobs/faults).
func unbounded(column string) bool {
	return column == "key" || column == "content_type" || column == "payload"
}

func isDict(e parquet.Encoding) bool {
	return e == parquet.Encoding_PLAIN_DICTIONARY || e == parquet.Encoding_RLE_DICTIONARY
}

// writeGroup writes one row group. The library's own way from a struct to columns is by reflection
// and takes most of its time; columns fills them directly.
func writeGroup(pw *writer.ParquetWriter, rows []event.Raw) error {
	pw.Objs = make([]any, len(rows)) // only counted
	pw.MarshalFunc = func(_ []any, sh *schema.SchemaHandler) (*map[string]*layout.Table, error) {
		tables, err := columns(rows, sh)
		return &tables, err
	}
	if err := pw.Flush(false); err != nil { // rows to pages
		return err
	}
	for _, pages := range pw.PagesMapBuf {
		for _, page := range pages {
			if page.NullCount == nil {
				page.NullCount = new(int64) // read by the library even where statistics are omitted
			}
		}
	}
	if err := pw.Flush(true); err != nil { // pages to a row group
		return err
	}
	group := pw.Footer.RowGroups[len(pw.Footer.RowGroups)-1]
	if len(group.Columns) != len(event.RawColumns) {
		return fmt.Errorf("a row group of %d columns was written, expected %d", len(group.Columns), len(event.RawColumns))
	}
	for i, column := range group.Columns {
		if pw.SchemaHandler.Infos[i+1].OmitStats {
			column.MetaData.Statistics = nil
		}
	}
	return nil
}

// writeFooter ends the file. It takes the place of the library's WriteStop, whose column index claims
// that pages of nulls hold the value "" and would mislead engines that skip pages by it.
func writeFooter(out *bytes.Buffer, pw *writer.ParquetWriter) error {
	pw.RenameSchema()
	ts := thrift.NewTSerializer()
	ts.Protocol = thrift.NewTCompactProtocolFactoryConf(nil).GetProtocol(ts.Transport)
	footer, err := ts.Write(context.Background(), pw.Footer)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if len(footer) > 1<<31-1 {
		return errors.New("footer: too large")
	}
	out.Write(footer)
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	out.WriteString("PAR1")
	return nil
}
