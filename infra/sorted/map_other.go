//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sorted

import (
	"io"
	"os"
)

// mapFile reads the whole file: on this system memory is used instead of a mapping.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	data, err = io.ReadAll(f)
	return data, func() error { return nil }, err
}
