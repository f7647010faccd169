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
	"github.com/xitongsys/parquet-go/common"
	"github.com/xitongsys/parquet-go/layout"
	"github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/writer"

	"github.com/anabranch/anabranch/schemas/event"
)

// assemble has the library make a file of finished pages. The library takes pages from values that are boxed one by one,
// which cost more than everything else (docs/decisions/0016): so the pages come from here, and schema,
// page headers, dictionaries, chunks, row groups and footer are its own.
func assemble(groups []rowGroup, columns []builder, meta map[string]string) ([]byte, error) {
	size := 0
	for i := range groups {
		size += groups[i].bytes()
	}
	out := bytes.NewBuffer(make([]byte, 0, size+size/16+32<<10))
	pw, err := writer.NewParquetWriterFromWriter(out, new(event.Raw), 1)
	if err != nil {
		return nil, fmt.Errorf("encode raw file: %w", err)
	}
	if err := checkColumns(pw, columns); err != nil {
		return nil, fmt.Errorf("encode raw file: %w", err)
	}
	pw.CompressionType = parquet.CompressionCodec_ZSTD
	for i := range groups {
		if err := writeGroup(pw, &groups[i]); err != nil {
			return nil, fmt.Errorf("encode raw file, row group %d: %w", i, err)
		}
		pw.Footer.NumRows += int64(groups[i].rows)
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		v := meta[k]
		pw.Footer.KeyValueMetadata = append(pw.Footer.KeyValueMetadata, &parquet.KeyValue{Key: k, Value: &v})
	}
	if err := writeFooter(out, pw); err != nil {
		return nil, fmt.Errorf("encode raw file: %w", err)
	}
	return out.Bytes(), nil
}

// checkColumns compares the schema that the library derived from event.Raw with event.RawColumns and with how the pages
// were made, and tells it which columns have statistics.
func checkColumns(pw *writer.ParquetWriter, columns []builder) error {
	infos := pw.SchemaHandler.Infos
	if len(infos) != len(event.RawColumns)+1 {
		return fmt.Errorf("event.Raw has %d columns, event.RawColumns %d", len(infos)-1, len(event.RawColumns))
	}
	for i, name := range event.RawColumns {
		info := infos[i+1]
		if info.ExName != name {
			return fmt.Errorf("column %d of event.Raw is %q, of event.RawColumns %q", i, info.ExName, name)
		}
		if got, want := shapeOf(columns[i]), (shape{info.Type, info.RepetitionType == parquet.FieldRepetitionType_OPTIONAL, isDict(info.Encoding)}); got != want {
			return fmt.Errorf("column %s of event.Raw is %+v, its pages are made for %+v", name, want, got)
		}
		info.OmitStats = !columns[i].base().stats
	}
	return nil
}

// shape is what pages and schema have to agree on.
type shape struct {
	Type       string
	Optional   bool
	Dictionary bool
}

func shapeOf(c builder) shape {
	s := shape{Optional: c.base().optional}
	switch c := c.(type) {
	case *ints:
		s.Type = "INT64"
		if c.narrow {
			s.Type = "INT32"
		}
	case *floats:
		s.Type = "DOUBLE"
	case *texts:
		s.Type = "BYTE_ARRAY"
	case *words:
		s.Type, s.Dictionary = "BYTE_ARRAY", true
	}
	return s
}

func isDict(e parquet.Encoding) bool {
	return e == parquet.Encoding_PLAIN_DICTIONARY || e == parquet.Encoding_RLE_DICTIONARY
}

// writeGroup hands the pages of a row group to the library and has it written.
func writeGroup(pw *writer.ParquetWriter, g *rowGroup) error {
	for i, chunk := range g.chunks {
		element, path := i+1, pw.SchemaHandler.IndexMap[int32(i+1)]
		info := pw.SchemaHandler.Infos[element]
		for _, p := range chunk.pages {
			to := &layout.Page{
				Schema: pw.SchemaHandler.SchemaElements[element], Info: info, Path: common.StrToPath(path),
				CompressType: pw.CompressionType, MinVal: p.low, MaxVal: p.high, NullCount: new(int64(p.nulls)),
			}
			if err := seal(to, &p); err != nil {
				return fmt.Errorf("column %s: %w", info.ExName, err)
			}
			pw.PagesMapBuf[path] = append(pw.PagesMapBuf[path], to)
		}
		if isDict(info.Encoding) {
			words := layout.NewDictRec(parquet.Type_BYTE_ARRAY)
			for _, w := range chunk.words {
				words.DictSlice = append(words.DictSlice, w)
			}
			pw.DictRecs[path] = words
		}
	}
	pw.NumRows = int64(g.rows)
	if err := pw.Flush(true); err != nil {
		return err
	}
	group := pw.Footer.RowGroups[len(pw.Footer.RowGroups)-1]
	if len(group.Columns) != len(event.RawColumns) {
		return fmt.Errorf("%d columns were written, expected %d", len(group.Columns), len(event.RawColumns))
	}
	for i, column := range group.Columns {
		if pw.SchemaHandler.Infos[i+1].OmitStats {
			column.MetaData.Statistics = nil
		}
	}
	return nil
}

// seal puts the header in front of a page. It has no statistics: readers take those of the row group.
func seal(to *layout.Page, p *page) error {
	h := parquet.NewPageHeader()
	h.Type = parquet.PageType_DATA_PAGE
	h.CompressedPageSize, h.UncompressedPageSize = int32(len(p.data)), int32(p.size)
	h.DataPageHeader = parquet.NewDataPageHeader()
	h.DataPageHeader.NumValues = int32(p.rows)
	h.DataPageHeader.DefinitionLevelEncoding, h.DataPageHeader.RepetitionLevelEncoding = parquet.Encoding_RLE, parquet.Encoding_RLE
	h.DataPageHeader.Encoding = to.Info.Encoding
	header, err := compact(h)
	if err != nil {
		return fmt.Errorf("page header: %w", err)
	}
	to.Header, to.RawData = h, append(header, p.data...)
	return nil
}

// writeFooter ends the file. It takes the place of the library's WriteStop, whose column index claims
// that pages of nulls hold the value "" and would mislead engines that skip pages by it.
func writeFooter(out *bytes.Buffer, pw *writer.ParquetWriter) error {
	pw.RenameSchema()
	footer, err := compact(pw.Footer)
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

// compact returns a structure of the format in Thrift's compact protocol.
func compact(v thrift.TStruct) ([]byte, error) {
	ts := thrift.NewTSerializer()
	ts.Protocol = thrift.NewTCompactProtocolFactoryConf(nil).GetProtocol(ts.Transport)
	return ts.Write(context.Background(), v)
}
