package event

import "strings"

// draft is an event while its record is read: texts are still parts of the record.
//
// The texts of the finished event are copies, so that none keeps a record, and with it a whole fetch
// of the log, in memory. The three ids that only a batch needs share one allocation. What states keep
// for long, the item, the type, the category and the entries of context and properties, are texts of
// their own (Texts shares equal ones): a state that keeps an item's id keeps these bytes and no more.
type draft struct {
	id, user, item, kind, session []byte

	value      float64
	time       Millis
	context    map[string]string
	properties map[string]any
	category   []byte
	price      float64
	has        fields
	broken     bool // an entry breaks a limit, so that the maps have yet to be judged
}

// fields is a set of fields of an event.
type fields uint16

const (
	hasID fields = 1 << iota
	hasUser
	hasItem
	hasType
	hasValue
	hasTime
	hasSession
	hasContext
	hasProperties
	hasStamp
	hasCategory
	hasPrice
)

// add notes a field; false means that it was there already.
func (d *draft) add(f fields) bool {
	first := d.has&f == 0
	d.has |= f
	return first
}

// numbers is where the optional parts of an event live, one allocation for all of them.
type numbers struct {
	stamp        Stamp
	category     string
	value, price float64
}

// finish returns the event.
func (d *draft) finish(t *Texts) Event {
	var ids strings.Builder
	ids.Grow(len(d.id) + len(d.user) + len(d.session))
	ids.Write(d.id)
	ids.Write(d.user)
	ids.Write(d.session)
	all, user := ids.String(), len(d.id)+len(d.user)
	e := Event{
		ID: all[:len(d.id)], UserID: all[len(d.id):user], SessionID: all[user:],
		ItemID: string(d.item), Type: t.text(d.kind), Time: d.time,
		Context: d.context, Properties: d.properties,
	}
	if d.has&(hasValue|hasStamp) == 0 {
		return e
	}
	n := &numbers{value: d.value, price: d.price}
	if d.has&hasValue != 0 {
		e.Value = &n.value
	}
	if d.has&hasStamp != 0 {
		e.Stamp = &n.stamp
	}
	if d.has&hasCategory != 0 {
		n.category = t.text(d.category)
		n.stamp.Category = &n.category
	}
	if d.has&hasPrice != 0 {
		n.stamp.Price = &n.price
	}
	return e
}
