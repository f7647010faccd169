package gen

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// partitions is how many partitions a log has; a user is in one of them.
const partitions = 2

// importEpochs plus a day since 1970 is the epoch of imported events, as batch/materialize numbers them.
const importEpochs = -1 << 32

// Log returns n valid records that lie about instant at, in the order of epoch and position.
func (g *Gen) Log(c feature.Catalogue, at int64, n int) []oracle.Record {
	users, items := 1+g.IntN(3), pick(g, 1, 5, 60)
	var log []oracle.Record
	if g.one(3) {
		log = g.imports(c, at, n/3, users, items)
		n -= len(log)
	}
	var epoch, offset [partitions]int64
	recent := map[string][]string{}
	marks := pick(g, 20, 60, 300)
	for range n {
		user := g.IntN(users)
		p := user % partitions
		if g.one(marks) {
			epoch[p] += pick[int64](g, 1, 1, 1, 2, 3)
		}
		e := g.event(c, at, fmt.Sprintf("u%d", user), items)
		e.ID = g.id(recent[e.UserID])
		recent[e.UserID] = append(recent[e.UserID], e.ID)
		log = append(log, oracle.Record{
			Event: e, Epoch: epoch[p], Seq: int64(p)<<44 | offset[p], LogTime: max(at, int64(e.Time)),
		})
		offset[p] += pick[int64](g, 1, 1, 2) // records that are invalid lie between
	}
	slices.SortStableFunc(log, func(a, b oracle.Record) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return log
}

// id returns an event id: a new one, or one of a few or about 128 records before.
func (g *Gen) id(before []string) string {
	back := 0
	switch g.IntN(8) {
	case 0:
		back = 1 + g.IntN(4)
	case 1:
		back = 126 + g.IntN(5)
	}
	if back > 0 && back <= len(before) {
		return before[len(before)-back]
	}
	return fmt.Sprintf("e%d-%d", len(before), g.IntN(1<<30))
}

// imports returns imported records: an epoch is a day of event time, a position a row of a file.
func (g *Gen) imports(c feature.Catalogue, at int64, n, users, items int) []oracle.Record {
	var log []oracle.Record
	for row := range int64(n) {
		e := g.event(c, at-pick(g, 0, day, 40*day), fmt.Sprintf("u%d", g.IntN(users)), items)
		e.ID = fmt.Sprintf("row%d", row/pick[int64](g, 1, 1, 2))
		log = append(log, oracle.Record{
			Event: e, Epoch: importEpochs + int64(e.Time)/day, Seq: -1<<62 + g.Int64N(2)<<40 + row, LogTime: max(at, int64(e.Time)),
		})
	}
	slices.SortFunc(log, func(a, b oracle.Record) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq))
	})
	return log
}

// event returns a valid event of a user without an id.
func (g *Gen) event(c feature.Catalogue, at int64, user string, items int) event.Event {
	e := event.Event{
		UserID: user, ItemID: fmt.Sprintf("i%d", g.IntN(items)), Type: pick(g, types...), Time: event.Millis(g.time(at)),
		Properties: map[string]any{},
	}
	e.Value = g.number(c, "value")
	if g.one(2) {
		e.SessionID = pick(g, sessions...)
	}
	if !g.one(4) {
		e.Stamp = &event.Stamp{Price: g.number(c, "price")}
		if g.one(2) {
			s := pick(g, categories...)
			e.Stamp.Category = &s
		}
	}
	if !g.one(4) {
		e.Context = map[string]string{"device": pick(g, "", "ios", "android", "web")}
	}
	for _, name := range []string{"text", "number", "amount", "float", "boolean", "time"} {
		if v := g.property(c, "properties."+name); v != nil {
			e.Properties[name] = v
		}
	}
	return e
}

// time returns an event time: now, at the borders of the tiles and of the windows of a read at that
// instant, beyond them, or in their midst.
func (g *Gen) time(at int64) int64 {
	back := int64(g.window())
	if back < 0 {
		back = 400 * day
	}
	tile := pick(g, 5*minute, hour, day)
	var t int64
	switch g.IntN(5) {
	case 0:
		t = at - g.Int64N(3*hour)
	case 1:
		t = at + g.Int64N(5*minute)
	case 2: // a border of the window
		t = (at-back)/tile*tile + pick(g, -tile-1, -tile, -1, 0, 1, tile-1)
	case 3: // a border of the tile of now
		t = at/tile*tile + pick(g, -1, 0, tile-1, tile)
	default:
		t = at - g.Int64N(back+day)
	}
	if g.one(3) {
		t -= t % minute // so that times tie
	}
	return t
}

// number returns a number of a field, or nil.
func (g *Gen) number(c feature.Catalogue, field string) *float64 {
	if g.one(5) {
		return nil
	}
	t, _ := c.Type(field)
	x := g.numberOf(t)
	return &x
}

// numberOf returns a number, mostly one that the type can hold.
func (g *Gen) numberOf(t feature.Type) float64 {
	if g.one(12) { // what some types cannot hold, or round
		return pick(g, 0.5, -2.5, 1<<53, 1e18, -1e22, 0.005, 1.005, math.Copysign(0, -1))
	}
	switch t.Kind {
	case feature.Integer:
		return float64(pick(g, g.Int64N(6), g.Int64N(100)-50, 1<<53-1, -1<<53+1))
	case feature.Decimal:
		if g.one(4) {
			return math.Trunc((g.Float64()-0.5)*(1<<53)) / math.Pow10(t.Scale)
		}
		return g.decimal(t.Scale)
	case feature.Time:
		return float64(Base - pick(g, 0, hour, day, g.Int64N(400*day)))
	}
	return pick(g, g.Float64(), 0.1, 1.5, -2.25, 1e15*g.NormFloat64(), 1e-9*g.Float64(), 1e16, -1e16, pick(g, 1.0, 1e300, -1e300, 1.7e308, 5e-324))
}

// property returns a value of a property, now and then none, or one of another type.
func (g *Gen) property(c feature.Catalogue, field string) any {
	t, _ := c.Type(field)
	switch {
	case g.one(5):
		return nil
	case g.one(12):
		return pick[any](g, "", "7", 7.0, true)
	case t.Kind == feature.Text:
		return pick(g, texts...)
	case t.Kind == feature.Boolean:
		return g.one(2)
	}
	return g.numberOf(t)
}
