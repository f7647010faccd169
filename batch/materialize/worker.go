package materialize

import (
	"github.com/anabranch/anabranch/schemas/event"
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
		if u.recent.Seen(r.eventID, c.file.Epoch) {
			c.skip[i] = true
			continue
		}
		e := r.event()
		w.engine.user.UpdateSince(u.bucket, &e, r.seq, w.engine.o.AsOf)
		w.addEntry(r, &e)
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
		e := r.event()
		if w.self == 0 {
			w.engine.plans.global.UpdateSince(w.engine.global, &e, r.seq, w.engine.o.AsOf)
		}
		if !mine {
			continue
		}
		w.engine.item.UpdateSince(w.item(r.itemNo).bucket, &e, r.seq, w.engine.o.AsOf)
		if aggregate {
			w.daily.addItem(c.file.Date, r, w.engine.o.Weights.Of(r.kind, e.Value))
		}
	}
}

// event returns what features see of the row. The user's id is not among it.
func (r *row) event() event.Event {
	e := event.Event{ItemID: r.item, Type: r.kind, Time: event.Millis(r.time), Stamp: r.stamp}
	if r.hasValue {
		v := r.value // states keep the pointer; it must not hold the chunk
		e.Value = &v
	}
	return e
}

func (w *worker) addEntry(r *row, e *event.Event) {
	key := [2]int32{r.userNo, r.itemNo}
	n, known := w.entryOf[key]
	if !known {
		n = int32(len(w.entries))
		w.entryOf[key] = n
		w.entries = append(w.entries, entry{user: r.userNo, item: r.itemNo, last: r.time})
	}
	x := &w.entries[n]
	x.weight += w.engine.o.Weights.Of(r.kind, e.Value)
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
