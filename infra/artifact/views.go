package artifact

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

var (
	errClosed   = errors.New("the generation is closed")
	errNoRecent = errors.New("the generation has no " + model.RecentFile + ": no night can continue from it")
)

// views are the mapped tables of a generation. They know nothing of the Generation, so that it can
// become unreachable while they wait to be unmapped.
type views struct {
	mu     sync.RWMutex // held for reading while a table is read
	closed bool

	user, item, global *sorted.Reader
	recent             *sorted.Reader // nil where the generation has none
}

// take notes a table under the name of its file.
func (v *views) take(name string, r *sorted.Reader) {
	switch name {
	case model.UserViewFile:
		v.user = r
	case model.ItemViewFile:
		v.item = r
	case model.GlobalViewFile:
		v.global = r
	case model.RecentFile:
		v.recent = r
	}
}

func isView(name string) bool {
	switch name {
	case model.UserViewFile, model.ItemViewFile, model.GlobalViewFile, model.RecentFile:
		return true
	}
	return false
}

// close unmaps the tables. It waits for reads that are under way; later ones get an error.
func (v *views) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	var all []error
	for _, r := range []*sorted.Reader{v.user, v.item, v.global, v.recent} {
		if r != nil {
			all = append(all, r.Close())
		}
	}
	return errors.Join(all...)
}

// get returns the value of a key of one of the tables.
func (v *views) get(r *sorted.Reader, id string) (value []byte, ok bool, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return nil, false, errClosed
	}
	// Get neither keeps nor changes the key.
	return r.Get(unsafe.Slice(unsafe.StringData(id), len(id)))
}

// Iter reads the rows of a view in the order of their keys. It is a sorted.Source, for one goroutine;
// a Generation may have many. It keeps its Generation from becoming unreachable.
type Iter struct {
	of   *Generation
	rows *sorted.Iter
	err  error
}

// iterate returns an iterator over a table; a nil one gives missing as its error.
func (g *Generation) iterate(r *sorted.Reader, missing error) *Iter {
	g.views.mu.RLock()
	defer g.views.mu.RUnlock()
	switch {
	case g.views.closed:
		return &Iter{of: g, err: errClosed}
	case r == nil:
		return &Iter{of: g, err: missing}
	}
	return &Iter{of: g, rows: r.Iter()}
}

// Seek moves the iterator so that Next reads the first row whose key is not before key.
func (it *Iter) Seek(key []byte) {
	defer it.of.views.mu.RUnlock()
	if it.open() {
		it.rows.Seek(key)
	}
}

// Next reads the next row and says whether there was one. After false, Err says why.
func (it *Iter) Next() bool {
	defer it.of.views.mu.RUnlock()
	return it.open() && it.rows.Next()
}

// open locks the tables for reading and says whether they can be read.
func (it *Iter) open() bool {
	it.of.views.mu.RLock()
	if it.err == nil && it.of.views.closed {
		it.err = errClosed
	}
	return it.err == nil
}

// Key returns the key of the row that Next read, valid until the Generation is closed.
func (it *Iter) Key() []byte {
	if it.rows == nil {
		return nil
	}
	return it.rows.Key()
}

// Value returns the value of the row that Next read, valid until the Generation is closed; SplitUser takes
// that of a user apart.
func (it *Iter) Value() []byte {
	if it.rows == nil {
		return nil
	}
	return it.rows.Value()
}

// Err returns what ended the iteration, nil if that was the last row.
func (it *Iter) Err() error {
	if it.err != nil || it.rows == nil {
		return it.err
	}
	return it.rows.Err()
}
