package materialize

import (
	"github.com/anabranch/anabranch/schemas/tile"
)

// worker owns the users and the items whose number is its own modulo the number of workers.
type worker struct {
	engine   *engine
	self, of int32

	users   []*user // by number / of
	items   []*item
	entries []entry            // training rows, in order of appearance
	entryOf map[[2]int32]int32 // (user, item) to the entry

	daily dailyParts
	row   tile.Row
}

// user is the state of a user while history is read.
type user struct {
	recent tile.Recent
	bucket tile.Bucket
}

// item is the state of an item while history is read.
type item struct {
	bucket tile.Bucket
}

// entry is a cell of the training matrix.
type entry struct {
	user, item int32
	weight     float64
	last       int64
}

func newWorker(e *engine, self, of int) *worker {
	return &worker{engine: e, self: int32(self), of: int32(of), entryOf: map[[2]int32]int32{}, daily: newDailyParts()}
}

// addToUsers applies the rows of the worker's users and marks duplicates.
func (w *worker) addToUsers(c *chunk, aggregate bool) {
	for i := range c.rows {
		r := &c.rows[i]
		if r.userNo%w.of != w.self {
			continue
		}
		u := w.user(r.userNo)
		if u.recent.Seen(tile.HashID(r.event.ID), c.file.Epoch) {
			c.skip[i] = true
			continue
		}
		w.update(w.engine.plans.user, u.bucket, r)
		w.addEntry(r)
		if aggregate {
			w.daily.addUser(c.file.Date, r)
		}
	}
}

// addToItems applies the rows of the worker's items; the first worker also keeps the global state.
func (w *worker) addToItems(c *chunk, aggregate bool) {
	for i := range c.rows {
		r := &c.rows[i]
		mine := r.itemNo%w.of == w.self
		if c.skip[i] || !mine && w.self != 0 {
			continue
		}
		if w.self == 0 {
			w.update(w.engine.plans.global, w.engine.global, r)
		}
		if !mine {
			continue
		}
		w.update(w.engine.plans.item, w.item(r.itemNo).bucket, r)
		if aggregate {
			w.daily.addItem(c.file.Date, r, w.engine.o.Weights.Of(r.event.Type, r.event.Value))
		}
	}
}

// update adds a row to a bucket of the plan.
func (w *worker) update(p *tile.Plan, b tile.Bucket, r *row) {
	p.Fill(&w.row, &r.event, r.seq)
	p.UpdateSince(b, &w.row, w.engine.o.AsOf)
}

func (w *worker) addEntry(r *row) {
	key := [2]int32{r.userNo, r.itemNo}
	n, known := w.entryOf[key]
	if !known {
		n = int32(len(w.entries))
		w.entryOf[key] = n
		w.entries = append(w.entries, entry{user: r.userNo, item: r.itemNo, last: r.time})
	}
	x := &w.entries[n]
	x.weight += w.engine.o.Weights.Of(r.event.Type, r.event.Value)
	x.last = max(x.last, r.time)
}

func (w *worker) user(n int32) *user {
	at := int(n / w.of)
	for at >= len(w.users) {
		w.users = append(w.users, nil)
	}
	if w.users[at] == nil {
		w.users[at] = &user{bucket: w.engine.user.NewBucket()}
	}
	return w.users[at]
}

func (w *worker) item(n int32) *item {
	at := int(n / w.of)
	for at >= len(w.items) {
		w.items = append(w.items, nil)
	}
	if w.items[at] == nil {
		w.items[at] = &item{bucket: w.engine.item.NewBucket()}
	}
	return w.items[at]
}
