package materialize

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize/spill"
)

// dailyBuilder groups the rows of one partition's users, or items, by date and day for the warehouse.
type dailyBuilder struct {
	engine *engine
	visits bool // count distinct users, and keep popularity

	open    []segment            // of the entity at hand
	waiting map[string][]segment // of entities between two chunks
	ids     []string             // entities, in order
	rows    []dailyRow
	popular []popularRow
}

// segment is an entity's rows of one warehouse partition.
type segment struct {
	date   int32
	groups []dailyGroup
	visits []visit
	events int64
	score  float64
}

// dailyGroup is a row of user_daily or item_daily in the making.
type dailyGroup struct {
	day    int32
	kind   uint32 // number of the type
	events int64
	users  int64
	sum    float64
}

// visit is an event by its user, whose id's 64-bit hash stands for it.
type visit struct {
	user  uint64
	group uint32
}

// dailyRow and popularRow are finished.
type dailyRow struct {
	dailyGroup
	date   int32
	entity uint32 // index in ids
}

type popularRow struct {
	date          int32
	entity        uint32
	events, users int64
	score         float64
}

func (d *dailyBuilder) begin() {
	d.waiting = map[string][]segment{}
	d.ids, d.rows, d.popular = d.ids[:0], d.rows[:0], d.popular[:0]
}

// add adds rows of an entity, in log order. After the last ones it is finished.
func (d *dailyBuilder) add(c *spill.Columns, rows []int32, id []byte, last bool) {
	if len(d.waiting) > 0 {
		d.open = d.waiting[string(id)]
	} else {
		d.open = d.open[:0]
	}
	for _, r := range rows {
		if file := c.Ints[colFile][r]; d.engine.aggregate[file] {
			d.event(c, r, d.engine.files[file].Date)
		}
	}
	if last {
		d.close(id)
		return
	}
	if len(d.open) > 0 {
		d.settle()
		d.waiting[string(id)] = d.open
		d.open = nil
	}
}

// finish ends an entity of an earlier chunk that the last one does not have.
func (d *dailyBuilder) finish(id []byte) {
	d.open = d.waiting[string(id)]
	d.close(id)
}

func (d *dailyBuilder) event(c *spill.Columns, r, date int32) {
	s := d.segment(date)
	day, kind, value := dayOfMillis(c.Ints[colTime][r]), uint32(c.Ints[colKind][r]), c.Floats[colValue][r]
	g := len(s.groups) - 1
	for g >= 0 && (s.groups[g].day != day || s.groups[g].kind != kind) {
		g--
	}
	if g < 0 {
		g = len(s.groups)
		s.groups = append(s.groups, dailyGroup{day: day, kind: kind})
	}
	s.groups[g].events++
	if value == value { //nolint:gocritic // NaN is not itself
		s.groups[g].sum += value
	}
	if d.visits {
		s.events++
		s.score += d.engine.weight(int64(kind), value)
		s.visits = append(s.visits, visit{uint64(c.Ints[colUser][r]), uint32(g)})
	}
}

// segment returns the open segment of a date, which is nearly always the last one.
func (d *dailyBuilder) segment(date int32) *segment {
	for i := len(d.open) - 1; i >= 0; i-- {
		if d.open[i].date == date {
			return &d.open[i]
		}
	}
	if len(d.open) < cap(d.open) {
		d.open = d.open[:len(d.open)+1]
		s := &d.open[len(d.open)-1]
		*s = segment{date: date, groups: s.groups[:0], visits: s.visits[:0]}
		return s
	}
	d.open = append(d.open, segment{date: date})
	return &d.open[len(d.open)-1]
}

// settle drops repeated visits, so that what waits is bounded by the users that differ.
func (d *dailyBuilder) settle() {
	for i := range d.open {
		s := &d.open[i]
		slices.SortFunc(s.visits, compareVisits)
		s.visits = slices.Clone(slices.Compact(s.visits))
	}
}

func compareVisits(a, b visit) int {
	return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.group, b.group))
}

// close turns the open segments into rows.
func (d *dailyBuilder) close(id []byte) {
	if len(d.open) == 0 {
		return
	}
	entity := uint32(len(d.ids))
	d.ids = append(d.ids, string(id))
	for i := range d.open {
		s := &d.open[i]
		if d.visits {
			users := s.countUsers()
			d.popular = append(d.popular, popularRow{s.date, entity, s.events, users, s.score})
		}
		types := d.engine.types
		slices.SortFunc(s.groups, func(a, b dailyGroup) int {
			return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(types[a.kind].rank, types[b.kind].rank))
		})
		for _, g := range s.groups {
			d.rows = append(d.rows, dailyRow{g, s.date, entity})
		}
	}
}

// countUsers counts the distinct users of each group and returns those of the segment.
func (s *segment) countUsers() (users int64) {
	slices.SortFunc(s.visits, compareVisits)
	for i, v := range s.visits {
		if i == 0 || s.visits[i-1] != v {
			s.groups[v.group].users++
		}
		if i == 0 || s.visits[i-1].user != v.user {
			users++
		}
	}
	return users
}

// write puts the rows into runs: by date, day, id and type; popularity by date and id.
func (d *dailyBuilder) write(daily, popularity *run) error {
	var key, value []byte
	for _, i := range byDays(len(d.rows), func(i int) (int32, int32) { return d.rows[i].date, d.rows[i].day }) {
		r := &d.rows[i]
		key = appendDay(appendDay(key[:0], r.date), r.day)
		key = append(append(key, d.ids[r.entity]...), 0) // no id holds a control character
		key = append(key, d.engine.types[r.kind].text...)
		value = appendSums(value[:0], r.events, r.users, r.sum)
		if err := daily.Add(key, value); err != nil {
			return err
		}
	}
	for _, i := range byDays(len(d.popular), func(i int) (int32, int32) { return d.popular[i].date, 0 }) {
		r := &d.popular[i]
		key = append(appendDay(key[:0], r.date), d.ids[r.entity]...)
		value = appendSums(value[:0], r.events, r.users, r.score)
		if err := popularity.Add(key, value); err != nil {
			return err
		}
	}
	return nil
}

// byDays returns the order of n rows by date and day. Rows of the same ones keep their order, which is that of
// ids. There are few days, so it counts.
func byDays(n int, of func(int) (date, day int32)) []int32 {
	type days struct{ date, day int32 }
	starts := map[days]int32{}
	for i := range n {
		date, day := of(i)
		starts[days{date, day}]++
	}
	order := slices.SortedFunc(maps.Keys(starts), func(a, b days) int {
		return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.day, b.day))
	})
	next := int32(0)
	for _, d := range order {
		next, starts[d] = next+starts[d], next
	}
	out := make([]int32, n)
	for i := range n {
		date, day := of(i)
		d := days{date, day}
		out[starts[d]] = int32(i)
		starts[d]++
	}
	return out
}

// appendDay writes a day so that bytes order as days do.
func appendDay(b []byte, day int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(day)^1<<31)
}

func cutDay(b []byte) (day int32, rest []byte) {
	return int32(binary.BigEndian.Uint32(b) ^ 1<<31), b[4:]
}

func appendSums(b []byte, events, users int64, sum float64) []byte {
	b = binary.AppendUvarint(b, uint64(events))
	b = binary.AppendUvarint(b, uint64(users))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(sum))
}

func cutSums(b []byte) (events, users int64, sum float64) {
	e, n := binary.Uvarint(b)
	u, m := binary.Uvarint(b[n:])
	return int64(e), int64(u), math.Float64frombits(binary.LittleEndian.Uint64(b[n+m:]))
}
