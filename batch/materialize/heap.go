package materialize

import (
	"math"
	"runtime"
	"runtime/debug"
)

// BoundHeap tells Go's collector to keep the memory of a process in which one Compute with so much Options.Memory is going
// to run below what the process holds already and 7/4 of that memory, by working more when it comes near. Without it the heap
// grows up to twice what is alive: with 200 million rows a process of 512 MiB took 1,086 MiB at most. A limit that somebody
// has set (GOMEMLIMIT) stays. Restore takes it back.
func BoundHeap(memory int64) (restore func()) {
	if memory <= 0 {
		memory = DefaultMemory
	}
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + memory/4*7)
	return func() { debug.SetMemoryLimit(before) }
}
