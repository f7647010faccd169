package materialize

import (
	"bytes"
	"errors"
	"time"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// mergedRow is a key's row of the first source that has it.
type mergedRow struct {
	source int
	key    []byte
	value  []byte
	older  []byte // the value of the next source that has it, nil if none has
}

// mergeInto writes the rows of several sources in the order of their keys, each as change makes it.
func (e *engine) mergeInto(name string, from []sorted.Source, change func(mergedRow) ([]byte, error)) (artifact.Local, error) {
	start := time.Now()
	defer func() { e.merging.Add(int64(time.Since(start))) }()
	w, err := artifact.NewView(e.dir, name)
	if err != nil {
		return artifact.Local{}, err
	}
	if err := mergeRows(w, from, change); err != nil {
		return artifact.Local{}, errors.Join(err, w.Discard())
	}
	return w.Close()
}

func mergeRows(w *artifact.ViewWriter, from []sorted.Source, change func(mergedRow) ([]byte, error)) error {
	m := sorted.Merge(from...)
	var key, first []byte
	for more := m.Next(); more; {
		key = append(key[:0], m.Key()...)
		row := mergedRow{source: m.Source(), key: key, value: m.Value()}
		last := row.source == len(from)-1 // nothing can follow, and its rows are the large ones
		if !last {
			first = append(first[:0], row.value...)
			row.value = first
			if more = m.Next(); more && bytes.Equal(m.Key(), key) {
				row.older = m.Value()
			}
		}
		value, err := change(row)
		if err != nil {
			return err
		}
		if err := w.Add(key, value); err != nil {
			return err
		}
		for more && (last || bytes.Equal(m.Key(), key)) {
			more, last = m.Next(), false
		}
	}
	return m.Err()
}

// writeUsers merges the users' runs with the previous generation's table.
func (e *engine) writeUsers(runs []*run) (artifact.Local, error) {
	from := sources(runs)
	new := len(from)
	if e.previous != nil {
		from = append(from, e.previous.Users.Iter())
	}
	final := e.finalItems()
	finalOfPrevious := make([]uint32, len(e.previousRank))
	for i, rank := range e.previousRank {
		finalOfPrevious[i] = final[rank]
	}
	p := e.newPruner(e.user)
	var buf []byte
	defer drop(runs)
	return e.mergeInto(model.UserViewFile, from, func(r mergedRow) ([]byte, error) {
		view, history, err := artifact.SplitUser(r.value)
		if err != nil {
			return nil, err
		}
		if r.source >= new {
			if view, err = p.prune(r.key, view, longAgo); err != nil {
				return nil, err
			}
			buf = artifact.AppendUser(buf[:0], view, nil)
			buf, err = appendRenumbered(buf, history, finalOfPrevious)
			return buf, err
		}
		buf = artifact.AppendUser(buf[:0], view, nil)
		if err := renumber(history, final); err != nil || r.older == nil {
			return append(buf, history...), err
		}
		_, old, err := artifact.SplitUser(r.older)
		if err != nil {
			return nil, err
		}
		buf, err = appendMerged(buf, old, finalOfPrevious, history)
		return buf, err
	})
}

// finalItems returns, by rank among all texts, the number of each item that any event counts of.
func (e *engine) finalItems() []uint32 {
	out := make([]uint32, len(e.byRank))
	next := uint32(0)
	for rank, n := range e.byRank {
		if out[rank] = next; e.known.has(int64(n)) {
			next++
		}
	}
	return out
}

func (e *engine) writeRecents(runs []*run) (artifact.Local, error) {
	defer drop(runs)
	return e.mergeInto(model.RecentFile, sources(runs), func(r mergedRow) ([]byte, error) { return r.value, nil })
}

// writeItems merges the items' runs with the previous generation's table. An item that only occurs in
// rows that no series reaches has an empty view.
func (e *engine) writeItems(runs []*run) (artifact.Local, error) {
	from := sources(runs)
	new := len(from)
	if e.previous != nil {
		from = append(from, e.previous.Items.Iter())
	}
	from = append(from, &knownItems{engine: e})
	empty := e.item.NewCodec().AppendView(nil, e.item.NewBucket())
	p := e.newPruner(e.item)
	defer drop(runs)
	return e.mergeInto(model.ItemViewFile, from, func(r mergedRow) ([]byte, error) {
		switch {
		case r.source < new:
			return r.value, nil
		case r.source == len(from)-1:
			return empty, nil
		}
		n, _ := e.items.find(hashText(r.key), r.key) // loadPrevious has added it
		return p.prune(r.key, r.value, e.known.label(n))
	})
}

// knownItems is the source of the ids of all known items.
type knownItems struct {
	engine *engine
	next   int
	key    []byte
}

func (k *knownItems) Next() bool {
	for ; k.next < len(k.engine.byRank); k.next++ {
		if n := k.engine.byRank[k.next]; k.engine.known.has(int64(n)) {
			k.key = append(k.key[:0], k.engine.items.texts[n]...)
			k.next++
			return true
		}
	}
	return false
}

func (k *knownItems) Key() []byte   { return k.key }
func (k *knownItems) Value() []byte { return nil }
func (k *knownItems) Err() error    { return nil }
