package materialize_test

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/anabranch/anabranch/batch/materialize"
)

// TestBoundHeap: a bound is set and taken back; one that is there already stays.
func TestBoundHeap(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	restore := materialize.BoundHeap(64 << 20)
	if got := debug.SetMemoryLimit(-1); got < 112<<20 || got > 16<<30 {
		t.Errorf("with 64 MiB the process may hold %d bytes", got)
	}
	restore()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("%d bytes afterwards, want no limit", got)
	}
	debug.SetMemoryLimit(3 << 30)
	materialize.BoundHeap(0)()
	if got := debug.SetMemoryLimit(-1); got != 3<<30 {
		t.Errorf("a limit of 3 GiB became %d bytes", got)
	}
}
