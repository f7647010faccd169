// Package rawparquet writes and reads the Parquet files of the raw archive: rows of event.Raw in the
// columns event.RawColumns, zstd-compressed, in row groups of at most 131,072 rows.
//
// # Writing
//
// A Writer takes rows one at a time and keeps them as columns: of a row nothing stays but its bytes on the open page of
// each column, and a page that is full is compressed at once (writer.go, kinds.go, sheet.go, levels.go). So a file that
// grows for minutes takes about the memory that it will have in the bucket. Encode is a Writer of rows that are there.
//
// # Two libraries, one on each side
//
// Files are written by github.com/xitongsys/parquet-go (encode.go is the only file that imports it, so
// that it can be replaced in one place), which makes everything of a file but the insides of its data pages; why not
// these is told in docs/decisions/0016. They are read by github.com/apache/arrow/go/v17. Measured: given a
// damaged file both libraries may return wrong rows without an error, panic, or crash. Hence the rules here:
//
//   - ReadVerified compares size and SHA-256 before a byte is decoded; use it for everything that
//     lies in a bucket. Read alone is for bytes whose origin is known to be good.
//   - Row groups are read one at a time and in one goroutine, so that a panic becomes an error.
//   - Scanner takes only the pages from the library (headers, decompression) and decodes what a Writer
//     writes itself: numbers and texts PLAIN, texts as numbers of a dictionary. Anything else is refused.
//   - The schema must be exactly event.RawColumns, and the rows read must be as many as both the
//     Parquet footer and the file's own metadata announce.
//
// # Two ways to read
//
// Scanner (ScanVerified) is for engines: reused memory, dictionaries kept, row groups left out by their
// statistics, 6 to 8 times the speed. It decodes a row group whole and refuses one of more than 2^21 rows. Read
// (ReadVerified) hands out Arrow arrays and rows, for tools and tests.
//
// # Metadata
//
// Every file carries key-value pairs in its footer (Span): topic, partition, epoch, the offsets
// [first, end) that it covers, its rows and the validator version. A range may be wider than its
// rows, because marks and the log's own control records have no row; a file may have no row at all.
//
// Equal rows and metadata give equal bytes.
package rawparquet
