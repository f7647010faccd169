package eventfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/anabranch/anabranch/schemas/api"
)

const (
	bufferBytes = 64 << 10
	sniffBytes  = 4 << 10
)

// counter counts the bytes that pass.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newReader[T any](name string, from io.Reader, k kind[T]) (*Reader[T], error) {
	input := &counter{r: from}
	in, err := unwrap(name, input)
	if err != nil {
		return nil, err
	}
	head, err := in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	r := &Reader[T]{name: name, input: input}
	if r.format, err = detect(name, head, k.movielens); err != nil {
		return nil, err
	}
	switch r.format {
	case JSONLines:
		r.rows = &lineSource[T]{lines: lines{r: in}, decode: k.decode}
	case MovieLens:
		r.rows = &lineSource[T]{lines: lines{r: in}, decode: k.decodeOld}
	case CSV:
		r.rows, err = newCSVSource(name, in, k)
	}
	return r, err
}

// unwrap removes gzip and a byte order mark.
func unwrap(name string, from io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(from, bufferBytes)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, api.Errorf(api.Invalid, "read %s: damaged gzip header: %w", name, err)
		}
		in = bufio.NewReaderSize(z, bufferBytes)
	}
	mark, _ := in.Peek(3)
	switch {
	case bytes.HasPrefix(mark, []byte{0xef, 0xbb, 0xbf}):
		_, err := in.Discard(3)
		return in, err
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}), bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		return nil, api.Errorf(api.Invalid, "%s is in UTF-16: UTF-8 is accepted (iconv -f UTF-16 -t UTF-8)", name)
	}
	return in, nil
}

// detect recognises the format: content that is unmistakable first, then the name, then CSV.
func detect(name string, head []byte, old movielens) (Format, error) {
	base := strings.TrimSuffix(strings.ToLower(filepath.Base(name)), ".gz")
	text := bytes.TrimLeft(head, " \t\r\n")
	line, _, _ := strings.Cut(string(text), "\n")
	switch {
	case bytes.HasPrefix(text, []byte("{")):
		return JSONLines, nil
	case bytes.HasPrefix(text, []byte("[")):
		return "", api.Errorf(api.Invalid, "%s holds a JSON array: JSON lines, one object a line, are accepted (jq -c '.[]')", name)
	case base == old.file || old.looksLike(strings.TrimSuffix(line, "\r")):
		return MovieLens, nil
	}
	switch filepath.Ext(base) {
	case ".jsonl", ".ndjson", ".json":
		return JSONLines, nil
	case ".parquet", ".avro", ".orc", ".xlsx", ".zip", ".zst", ".bz2", ".xz":
		return "", api.Errorf(api.Invalid, "%s is not accepted: CSV, JSON lines and MovieLens 100K are, plain or with gzip", name)
	}
	return CSV, nil
}
