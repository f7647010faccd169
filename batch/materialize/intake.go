package materialize

import (
	"context"
	"sync/atomic"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/tile"
)

// task is some files that follow each other and what became of them, by side.
type task struct {
	from, to int
	blocks   [sides][][]block
}

// read decodes all files and puts their rows aside, partitioned by user and by item. Tasks are done in any order;
// their blocks are joined in theirs.
func (e *engine) read(ctx context.Context, b *bucket.Bucket) error {
	tasks := e.tasks()
	var valid, rejected atomic.Int64
	p := e.progress("read", e.rows)
	err := e.workers(ctx, len(tasks), func() (func(int) error, error) {
		d, err := newDecoder(&e.layout, e.dictionaries)
		if err != nil {
			return nil, err
		}
		w := &intake{engine: e, decoder: d}
		return func(i int) error {
			d.rejected = 0
			n, err := w.run(ctx, b, &tasks[i], p)
			valid.Add(n)
			rejected.Add(d.rejected)
			return err
		}, nil
	})
	if err != nil {
		return err
	}
	e.counts.Rejected = rejected.Load()
	e.counts.Rows = valid.Load() + e.counts.Rejected
	for i := range e.sides {
		s := &e.sides[i]
		for t := range tasks {
			s.blocks = append(s.blocks, tasks[t].blocks[i]...)
		}
		for _, list := range s.blocks {
			for j := range list {
				s.rows += int64(list[j].rows)
			}
		}
	}
	e.finishReading()
	return nil
}

// parts returns the number of partitions of a side.
func (e *engine) parts(side int) int {
	if side == inLogOrder {
		return 1
	}
	return e.sizes.parts
}

// tasks groups small files, so that blocks do not become tiny.
func (e *engine) tasks() []task {
	var out []task
	rows := int64(0)
	for i := range e.files {
		if len(out) == 0 || rows+e.files[i].Rows > int64(e.sizes.task) {
			out = append(out, task{from: i})
			rows = 0
		}
		rows += e.files[i].Rows
		out[len(out)-1].to = i + 1
	}
	return out
}

// intake is what a reading worker holds.
type intake struct {
	*engine
	decoder *decoder
	part    []int32
	order   []int32
	starts  []int32
	buf     []byte
}

// run reads the files of a task and returns how many valid rows they have.
func (w *intake) run(ctx context.Context, b *bucket.Bucket, t *task, p *progress) (valid int64, err error) {
	d := w.decoder
	d.reset()
	flush := func() error {
		valid += int64(d.rows.Rows)
		err := w.flush(t)
		d.reset()
		return err
	}
	for i := t.from; i < t.to; i++ {
		err := d.read(ctx, b, &w.files[i], i, w.first[i], func() error {
			if d.rows.Rows < w.sizes.task {
				return nil
			}
			return flush()
		})
		if err != nil {
			return valid, err
		}
		p.add(int(w.files[i].Rows))
	}
	return valid, flush()
}

// flush puts the gathered rows aside on every side.
func (w *intake) flush(t *task) error {
	for side := range sides {
		w.choose(side)
		if err := w.put(side, t); err != nil {
			return err
		}
	}
	return nil
}

// skipped marks a row that a side does not need.
const skipped = -1

// choose finds each row's partition on a side.
func (w *intake) choose(side int) {
	rows := w.decoder.rows
	w.part = w.part[:0]
	shift := partShift(w.parts(side))
	hash, keep := w.decoder.itemHash, w.keeps(side)
	for i := range rows.Rows {
		switch {
		case side == byUser:
			w.part = append(w.part, int32(uint64(rows.Ints[colUser][i])>>shift))
		case !keep(i):
			w.part = append(w.part, skipped)
		default:
			w.part = append(w.part, int32(hash[i]>>shift))
		}
	}
}

// partShift returns by how much a hash is shifted to number one of n partitions, a power of two.
func partShift(n int) uint {
	shift := uint(64)
	for ; n > 1; n >>= 1 {
		shift--
	}
	return shift
}

// keeps returns the function that says whether a side needs a row: some series reaches it, or the
// warehouse wants it.
func (w *intake) keeps(side int) func(int) bool {
	rows := w.decoder.rows
	times, files := rows.Ints[colTime], rows.Ints[colFile]
	switch side {
	case byItem:
		from := reach(w.item, tile.FirstHorizon(w.o.AsOf))
		return func(i int) bool { return times[i] >= from || w.aggregate[files[i]] }
	case inLogOrder:
		from := reach(w.global, w.o.AsOf)
		return func(i int) bool { return times[i] >= from }
	}
	return nil
}

// put writes a block for each partition that has rows.
func (w *intake) put(side int, t *task) error {
	parts := w.parts(side)
	w.group(parts)
	blocks := make([]block, 0, w.filled(parts))
	for p := range parts {
		rows := w.order[w.starts[p]:w.starts[p+1]]
		if len(rows) == 0 {
			continue
		}
		w.buf = w.decoder.rows.AppendBlock(w.buf[:0], w.sides[side].pick, rows)
		piece, err := w.scratch.Put(w.buf)
		if err != nil {
			return err
		}
		blocks = append(blocks, block{int32(p), int32(len(rows)), piece})
	}
	t.blocks[side] = append(t.blocks[side], blocks)
	return nil
}

// filled returns how many partitions have rows.
func (w *intake) filled(parts int) (n int) {
	for p := range parts {
		if w.starts[p] < w.starts[p+1] {
			n++
		}
	}
	return n
}

// group sorts the rows by partition and keeps their order within each (a counting sort).
func (w *intake) group(parts int) {
	w.starts = append(w.starts[:0], make([]int32, parts+2)...)
	for _, p := range w.part {
		if p != skipped {
			w.starts[p+2]++
		}
	}
	for p := range parts {
		w.starts[p+2] += w.starts[p+1]
	}
	w.order = append(w.order[:0], make([]int32, w.starts[parts+1])...)
	for i, p := range w.part {
		if p != skipped {
			w.order[w.starts[p+1]] = int32(i)
			w.starts[p+1]++
		}
	}
}
