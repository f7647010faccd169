package materialize

import (
	"fmt"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/infra/sorted"
)

// run is a sorted run in the scratch; one without rows takes no room.
type run struct {
	scratch *spill.Scratch
	stream  *spill.Stream     // nil while there are no rows
	writer  *sorted.RunWriter // nil when it is closed: its buffer is not needed any longer
}

func (e *engine) newRun() *run { return &run{scratch: e.scratch} }

// Add appends a row; keys must not fall.
func (r *run) Add(key, value []byte) error {
	if r.stream == nil {
		r.stream = r.scratch.NewStream()
		r.writer = sorted.NewRunWriter(r.stream)
	}
	return r.writer.Add(key, value)
}

func closeRuns(runs ...*run) error {
	for _, r := range runs {
		if r.writer == nil {
			continue
		}
		if err := r.writer.Close(); err != nil {
			return err
		}
		r.writer = nil
	}
	return nil
}

// sources returns readers of the runs that have rows.
func sources(runs []*run) []sorted.Source {
	var out []sorted.Source
	for i, r := range runs {
		if r != nil && r.stream != nil {
			out = append(out, sorted.NewRunReader(r.stream.Reader(), fmt.Sprintf("sorted run %d", i)))
		}
	}
	return out
}

// drop lets go of the memory of runs that have been merged.
func drop(runs []*run) {
	for _, r := range runs {
		if r != nil && r.stream != nil {
			r.stream.Drop()
		}
	}
}
