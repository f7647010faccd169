package sim

import (
	"cmp"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/stream/archive"
)

// doImport imports a file of history. Its rows follow from its number.
func (w *world) doImport(file int64) error {
	sha := model.SHA256Hex(strconv.AppendInt(nil, file, 10))
	rows := w.rowsOf(file)
	_, err := archive.Import(w.ctx, w.bucket, archive.Source{SHA256: sha, Format: "jsonl", Rows: sequence(rows)}, nil, w.clock(0)())
	closed := len(w.marks) > 0
	switch {
	case w.files[sha] != nil && err == nil:
		w.note("nothing to do")
		return nil
	case closed && api.CodeOf(err) == api.Invalid:
		w.note("history is closed")
		return nil
	case err != nil:
		return err
	case closed:
		return errors.New("history is imported although mark 1 exists")
	}
	w.files[sha] = make([]oracle.Record, len(rows))
	for i, e := range rows {
		e.ID = sha[:16] + "-" + strconv.Itoa(i+1)
		w.files[sha][i] = oracle.Record{Event: e, Epoch: -1<<32 + int64(e.Time)/day, Seq: int64(i + 1), LogTime: int64(e.Time)}
	}
	w.imported = nil
	for ordinal, sha := range slices.Sorted(maps.Keys(w.files)) {
		for _, r := range w.files[sha] {
			r.Seq += -1<<62 + int64(ordinal)<<40
			w.imported = append(w.imported, r)
		}
	}
	slices.SortFunc(w.imported, func(a, b oracle.Record) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq))
	})
	return nil
}

func (w *world) rowsOf(file int64) []event.Event {
	var rows []event.Event
	for i := range 3 + file%7 {
		seed := file*100 + i
		e := w.eventAt(uint64(seed), userName(seed%users), w.started-seed%3*20*day)
		e.Time = min(e.Time, event.Millis(w.started))
		rows = append(rows, e)
	}
	return rows
}

func sequence(rows []event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range rows {
			if !yield(e, nil) {
				return
			}
		}
	}
}
