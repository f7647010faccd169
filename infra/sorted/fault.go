package sorted

import (
	"math"
	"runtime/debug"
	"unsafe"
)

// guard turns a fault in the mapped file into an error: a page that the disk cannot return, or that
// was cut off. It is deferred with what debug.SetPanicOnFault returned, and leaves every other panic alone.
func (r *Reader) guard(before bool, err *error) {
	debug.SetPanicOnFault(before)
	p := recover()
	if p == nil {
		return
	}
	fault, ok := p.(interface{ Addr() uintptr })
	if !ok || !within(r.data, fault.Addr()) {
		panic(p)
	}
	*err = damaged(r.name, "a part of the mapped file cannot be read: it was cut off, or the disk fails")
}

func within(b []byte, addr uintptr) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return addr >= start && addr-start < uintptr(len(b))
}

// fitsInt says whether a mapping of size bytes can be addressed.
func fitsInt(size int64) bool { return size >= 0 && size <= math.MaxInt }
