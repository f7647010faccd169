package rawparquet

import "github.com/apache/arrow/go/v17/arrow/memory"

// recycler hands the buffer that was given back last out again. The library takes a buffer a page
// and gives it back when the page is still in use but no other was asked for, so that the pages
// of one goroutine, decoded one after the other, share a single buffer, and nothing has to be cleared.
type recycler struct{ free []byte }

var _ memory.Allocator = (*recycler)(nil)

// Allocate returns size bytes, which may hold anything.
func (r *recycler) Allocate(size int) []byte {
	b := r.free
	r.free = nil
	if cap(b) < size {
		b = make([]byte, size, size+size/4)
	}
	return b[:size]
}

// Reallocate returns b with another size.
func (r *recycler) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	out := r.Allocate(size)
	copy(out, b)
	return out
}

// Free takes a buffer back.
func (r *recycler) Free(b []byte) {
	if cap(b) > cap(r.free) {
		r.free = b
	}
}
