//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sorted

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps a whole file for reading.
func mapFile(f *os.File) (data []byte, unmap func() error, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	if size == 0 { // which cannot be mapped, and is refused with a better message
		return nil, func() error { return nil }, nil
	}
	if !fitsInt(size) {
		return nil, nil, fmt.Errorf("%d bytes do not fit this machine's memory addresses", size)
	}
	data, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return data, func() error { return os.NewSyscallError("munmap", syscall.Munmap(data)) }, nil
}
