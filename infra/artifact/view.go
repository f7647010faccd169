package artifact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// Local is a file of a generation in a local folder, ready to be stored by StoreLocal.
type Local struct {
	File model.File
	Path string
}

// ViewWriter writes a view of any size into a local file, in bounded memory. It is for one goroutine.
type ViewWriter struct {
	file  *os.File
	table *sorted.Writer
	name  string // within the generation
}

// NewView begins the view of that name, such as model.UserViewFile, below the folder dir. Until
// StoreLocal has put it the folder is the caller's to keep, and afterwards to remove.
func NewView(dir, name string) (*ViewWriter, error) {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return &ViewWriter{file: f, table: sorted.NewWriter(f, sorted.Options{}), name: name}, nil
}

// Add appends a row; keys have to rise strictly in byte order. Both slices may be reused after the
// call. The value of a user's row is made by AppendUser. An error is final.
func (w *ViewWriter) Add(key, value []byte) error {
	if err := w.table.Add(key, value); err != nil {
		return fmt.Errorf("write %s: %w", w.name, err)
	}
	return nil
}

// Close ends the view. After an error its file is gone.
func (w *ViewWriter) Close() (Local, error) {
	info, err := w.table.Close()
	if err = errors.Join(err, w.file.Close()); err != nil {
		return Local{}, fmt.Errorf("write %s: %w", w.name, errors.Join(err, os.Remove(w.file.Name())))
	}
	return Local{File: viewFile(w.name, info), Path: w.file.Name()}, nil
}

// Discard ends a view that is not wanted and removes its file.
func (w *ViewWriter) Discard() error {
	if err := errors.Join(w.file.Close(), os.Remove(w.file.Name())); err != nil {
		return fmt.Errorf("discard %s: %w", w.name, err)
	}
	return nil
}

func viewFile(name string, info sorted.Info) model.File {
	return model.File{Name: name, Bytes: info.Bytes, SHA256: info.SHA256, Rows: info.Rows}
}

// AppendUser appends the value of a user's row in model.UserViewFile to dst: the length of the tile view
// as uvarint, the tile view (tile.Codec.AppendView), the training row (model.AppendHistory).
func AppendUser(dst, state, history []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(state)))
	dst = append(dst, state...)
	return append(dst, history...)
}

// SplitUser takes a value of AppendUser apart without copying.
func SplitUser(value []byte) (state, history []byte, err error) {
	n, head := binary.Uvarint(value)
	if head <= 0 || n > uint64(len(value)-head) {
		return nil, nil, fmt.Errorf("%s: a value of %d bytes is none of a user", model.UserViewFile, len(value))
	}
	end := head + int(n)
	return value[head:end:end], value[end:], nil
}
