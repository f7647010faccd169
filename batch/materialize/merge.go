package materialize

import (
	"bytes"
	"errors"
	"time"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// mergeInto writes the rows of several sources in the order of their keys. Of equal keys the first source's row
// counts; change may replace its value, given which source it is from.
func (e *engine) mergeInto(name string, from []sorted.Source, change func(source int, value []byte) ([]byte, error)) (artifact.Local, error) {
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

func mergeRows(w *artifact.ViewWriter, from []sorted.Source, change func(source int, value []byte) ([]byte, error)) error {
	m := sorted.Merge(from...)
	var last []byte
	for first := true; m.Next(); first = false {
		if !first && bytes.Equal(last, m.Key()) {
			continue
		}
		last = append(last[:0], m.Key()...)
		value, err := change(m.Source(), m.Value())
		if err != nil {
			return err
		}
		if err := w.Add(last, value); err != nil {
			return err
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
	p := newPruner(e.user, e.o.AsOf)
	var buf []byte
	defer drop(runs)
	return e.mergeInto(model.UserViewFile, from, func(source int, value []byte) ([]byte, error) {
		view, history, err := artifact.SplitUser(value)
		if err != nil {
			return nil, err
		}
		number := final
		if source >= new {
			number = finalOfPrevious
			if view, err = p.prune(view); err != nil {
				return nil, err
			}
		}
		buf = artifact.AppendUser(buf[:0], view, nil)
		at := len(buf)
		buf = append(buf, history...)
		return buf, renumber(buf[at:], number)
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
	return e.mergeInto(model.RecentFile, sources(runs), func(_ int, value []byte) ([]byte, error) { return value, nil })
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
	p := newPruner(e.item, e.o.AsOf)
	defer drop(runs)
	return e.mergeInto(model.ItemViewFile, from, func(source int, value []byte) ([]byte, error) {
		switch {
		case source < new:
			return value, nil
		case source == len(from)-1:
			return empty, nil
		}
		return p.prune(value)
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

// pruner drops tiles that no window reaches any more from encoded views.
type pruner struct {
	plan  *tile.Plan
	codec *tile.Codec
	asOf  int64
	buf   []byte

	bucket tile.Bucket // decoded views, one after the other
	texts  []byte
}

func newPruner(p *tile.Plan, asOf int64) *pruner {
	return &pruner{plan: p, codec: p.NewCodec(), asOf: asOf}
}

// prune returns the view itself where nothing has to go.
func (p *pruner) prune(view []byte) ([]byte, error) {
	expired, err := p.plan.Expired(view, p.asOf)
	if err != nil || !expired {
		return view, err
	}
	if p.bucket == nil {
		p.bucket = p.plan.NewBucket()
	}
	if p.texts, err = p.plan.DecodeViewInto(p.bucket, p.texts, view); err != nil {
		return nil, err
	}
	p.plan.Prune(p.bucket, p.asOf)
	p.buf = p.codec.AppendView(p.buf[:0], p.bucket)
	return p.buf, nil
}
