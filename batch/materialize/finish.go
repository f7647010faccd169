package materialize

import (
	"cmp"
	"slices"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// finish encodes the views. The dictionaries' numbers depend on the order of appearance; rows of the
// files are in order of ids.
func (e *engine) finish() (Result, error) {
	userRow, userIDs := ranks(e.decoder.users.texts, e.knowsUser)
	itemRow, itemIDs := ranks(e.decoder.items.texts, e.knowsItem)
	e.counts.Users, e.counts.Items = int64(len(userIDs)), int64(len(itemIDs))
	r := Result{Counts: e.counts}
	if e.counts.Events == 0 {
		return r, nil
	}
	states, histories := make([][]byte, len(userIDs)), make([][]byte, len(userIDs))
	itemStates := make([][]byte, len(itemIDs))
	e.parallel(func(w *worker) {
		w.encodeUsers(userRow, states)
		w.encodeHistories(userRow, itemRow, histories)
		w.encodeItems(itemRow, itemStates)
	})
	e.plans.global.Prune(e.global, e.o.AsOf)
	global := e.plans.global.NewCodec().AppendView(nil, e.global)
	for _, encode := range []func() (artifact.Encoded, error){
		func() (artifact.Encoded, error) { return artifact.UserView(userIDs, states, histories) },
		func() (artifact.Encoded, error) { return artifact.ItemView(itemIDs, itemStates) },
		func() (artifact.Encoded, error) { return artifact.GlobalView(feature.GlobalID, global) },
	} {
		f, err := encode()
		if err != nil {
			return Result{}, err
		}
		r.Files = append(r.Files, f)
	}
	r.Daily = e.daily()
	return r, nil
}

// knowsUser and knowsItem report whether any event counted: an id may occur in duplicates only.
func (e *engine) knowsUser(n int32) bool {
	w := e.workers[int(n)%len(e.workers)]
	at := int(n) / len(e.workers)
	return at < len(w.users) && w.users[at] != nil
}

func (e *engine) knowsItem(n int32) bool {
	w := e.workers[int(n)%len(e.workers)]
	at := int(n) / len(e.workers)
	return at < len(w.items) && w.items[at] != nil
}

// ranks returns the row of each known number, and the known texts in order of rows.
func ranks(texts []string, known func(int32) bool) (row []int32, sorted []string) {
	var order []int32
	for i := range texts {
		if known(int32(i)) {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(texts[a], texts[b]) })
	row, sorted = make([]int32, len(texts)), make([]string, len(order))
	for at, n := range order {
		row[n], sorted[at] = int32(at), texts[n]
	}
	return row, sorted
}

func (w *worker) encodeUsers(row []int32, into [][]byte) {
	plan, codec := w.engine.plans.user, w.engine.plans.user.NewCodec()
	for i, u := range w.users {
		if u == nil {
			continue
		}
		plan.Prune(u.bucket, w.engine.o.AsOf)
		into[row[int32(i)*w.of+w.self]] = codec.AppendView(nil, u.bucket)
		u.bucket = nil
	}
}

func (w *worker) encodeItems(row []int32, into [][]byte) {
	plan, codec := w.engine.plans.item, w.engine.plans.item.NewCodec()
	for i, x := range w.items {
		if x == nil {
			continue
		}
		plan.Prune(x.bucket, w.engine.o.AsOf)
		into[row[int32(i)*w.of+w.self]] = codec.AppendView(nil, x.bucket)
		x.bucket = nil
	}
}

// encodeHistories groups the training entries by user, items ascending.
func (w *worker) encodeHistories(userRow, itemRow []int32, into [][]byte) {
	slices.SortFunc(w.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(userRow[a.user], userRow[b.user]), cmp.Compare(itemRow[a.item], itemRow[b.item]))
	})
	var history []model.HistoryEntry
	for lo := 0; lo < len(w.entries); {
		hi := lo
		for ; hi < len(w.entries) && w.entries[hi].user == w.entries[lo].user; hi++ {
			x := w.entries[hi]
			history = append(history, model.HistoryEntry{Item: uint32(itemRow[x.item]), Weight: float32(x.weight), Last: x.last})
		}
		into[userRow[w.entries[lo].user]] = model.AppendHistory(nil, history)
		history, lo = history[:0], hi
	}
}
