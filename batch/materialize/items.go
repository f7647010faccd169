package materialize

import (
	"slices"

	"github.com/anabranch/anabranch/schemas/tile"
)

// itemWorker aggregates partitions of items.
type itemWorker struct {
	engine *engine
	chunk  *chunk
	kernel *kernel
	codec  *tile.Codec
	view   *tile.Continued // of the item at hand
	daily  dailyBuilder

	key     []byte
	value   []byte
	carried map[uint32][]byte // views between two chunks of a partition, by rank
	out     *itemRuns
}

// itemRuns are the sorted runs of a partition.
type itemRuns struct {
	views, daily, popularity *run
}

func newItemWorker(e *engine) *itemWorker {
	return &itemWorker{
		engine: e, chunk: newChunk(e, byItem), kernel: newKernel(e, e.item), codec: e.item.NewCodec(),
		view: e.item.NewContinued(), daily: dailyBuilder{engine: e, visits: true},
	}
}

func (w *itemWorker) part(n int, out *itemRuns, p *progress) error {
	e := w.engine
	*out = itemRuns{views: e.newRun(), daily: e.newRun(), popularity: e.newRun()}
	w.out, w.carried = out, map[uint32][]byte{}
	w.daily.begin()
	err := w.chunk.each(n, func(last bool) error {
		p.add(w.chunk.rows.Rows)
		w.chunk.groupByItem()
		return w.chunkItems(last)
	})
	if err != nil {
		return err
	}
	if err := w.daily.write(out.daily, out.popularity); err != nil {
		return err
	}
	return closeRuns(out.views, out.daily, out.popularity)
}

// chunkItems takes the items of a chunk in the order of their ids, and with the last chunk those
// that occurred in earlier ones only.
func (w *itemWorker) chunkItems(last bool) error {
	c, e := w.chunk, w.engine
	var waiting []uint32
	if last {
		for rank := range w.carried {
			waiting = append(waiting, rank)
		}
		slices.Sort(waiting)
	}
	for _, m := range c.members {
		rank := e.rank[c.rows.Ints[colItem][c.first[m]]]
		for len(waiting) > 0 && waiting[0] < rank {
			if err := w.emitCarried(waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		if len(waiting) > 0 && waiting[0] == rank {
			waiting = waiting[1:]
		}
		if err := w.itemRows(rank, c.of(m), last); err != nil {
			return err
		}
	}
	for _, rank := range waiting {
		if err := w.emitCarried(rank); err != nil {
			return err
		}
	}
	return nil
}

// id returns the item of a rank, valid until the next call.
func (w *itemWorker) id(rank uint32) []byte {
	w.key = append(w.key[:0], w.engine.items.texts[w.engine.byRank[rank]]...)
	return w.key
}

// itemRows adds an item's rows to what is known of it.
func (w *itemWorker) itemRows(rank uint32, rows []int32, last bool) error {
	e := w.engine
	id := w.id(rank)
	w.daily.add(w.chunk.rows, rows, id, last)
	if e.views {
		if err := w.update(rank, id, rows); err != nil && e.previous != nil {
			return blame(e.previous.Items, id, err)
		} else if err != nil {
			return err
		}
	}
	switch {
	case !last:
		w.carried[rank] = slices.Clone(w.value)
	case e.views:
		return w.out.views.Add(id, w.value)
	}
	return nil
}

// update makes the view of the item from the one before and the rows.
func (w *itemWorker) update(rank uint32, id []byte, rows []int32) error {
	before, err := w.load(rank, id)
	if err != nil {
		return err
	}
	if err := continueView(w.view, before, w.chunk.rows, rows); err != nil {
		return err
	}
	turn := tile.TurnOf(id)
	w.kernel.update(w.view.Bucket, turn, w.chunk.rows, rows)
	w.value, err = w.codec.AppendContinued(w.value[:0], w.view, w.engine.horizon(turn, w.engine.known.label(w.engine.byRank[rank])))
	return err
}

func (w *itemWorker) emitCarried(rank uint32) error {
	id := w.id(rank)
	w.daily.finish(id)
	if !w.engine.views {
		return nil
	}
	return w.out.views.Add(id, w.carried[rank])
}

// load returns the view of an item: of an earlier chunk, of the previous generation, or none.
func (w *itemWorker) load(rank uint32, id []byte) (view []byte, err error) {
	if view = w.carried[rank]; view == nil && w.engine.previous != nil {
		view, err = w.engine.previous.item(id)
	}
	return view, err
}

// foldGlobal folds all rows that count into the one bucket of the global entity, in log order.
func (e *engine) foldGlobal() ([]byte, error) {
	if !e.views {
		return nil, nil
	}
	c, k, bucket := newChunk(e, inLogOrder), newKernel(e, e.global), e.global.NewBucket()
	if e.previous != nil {
		view, err := e.previous.global()
		if err != nil {
			return nil, err
		}
		if bucket, err = e.global.DecodeView(view); err != nil {
			return nil, err
		}
	}
	var rows []int32
	err := c.each(0, func(bool) error {
		rows = rows[:0]
		for i := range c.rows.Rows {
			if !e.duplicate.has(c.rows.Ints[colRow][i]) {
				rows = append(rows, int32(i))
			}
		}
		k.update(bucket, tile.EveryNight, c.rows, rows)
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.global.Prune(bucket, e.o.AsOf)
	return e.global.NewCodec().AppendView(nil, bucket), nil
}
