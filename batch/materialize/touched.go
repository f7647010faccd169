package materialize

import (
	"sync/atomic"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/tile"
)

// touched says when members last had an event that counted, by their numbers: the label (Unix ms) of the mark that closed its
// epoch, 0 for never.
type touched []atomic.Int64

// longAgo is the label of events of imports, and of those that an earlier generation has taken over: known, and no reason to prune.
const longAgo = 1

func (t touched) note(n, label int64) {
	label = max(label, longAgo)
	for {
		before := t[n].Load()
		if before >= label || t[n].CompareAndSwap(before, label) {
			return
		}
	}
}

func (t touched) label(n uint32) int64 { return t[n].Load() }

// has reports whether the member ever had one.
func (t touched) has(n int64) bool { return t[n].Load() > 0 }

// horizon returns as of when a member's view is pruned whose latest event that counted is in an epoch of this label
// (see tile.Turn). The view has to be whole for reads at the generation's instant, whatever a label says.
func (e *engine) horizon(t tile.Turn, label int64) int64 {
	return max(t.Horizon(e.o.AsOf), min(label, e.o.AsOf))
}

// latest returns the label of the last of some rows, which are in log order; longAgo for none.
func (e *engine) latest(c *spill.Columns, rows []int32) int64 {
	if len(rows) == 0 {
		return longAgo
	}
	return e.files[c.Ints[colFile][rows[len(rows)-1]]].Label
}
