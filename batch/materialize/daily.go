package materialize

import (
	"cmp"
	"slices"
)

// Daily is what the warehouse gets, by partition date.
type Daily map[int32]*Partition

// Partition holds the rows of one date for every table, sorted.
type Partition struct {
	Users      []UserDay
	Items      []ItemDay
	Popularity []ItemDate
}

// UserDay is a row of user_daily. Days count from 1970-01-01.
type UserDay struct {
	Day        int32
	User, Type string
	Events     int64
	ValueSum   float64
}

// ItemDay is a row of item_daily.
type ItemDay struct {
	Day        int32
	Item, Type string
	Events     int64
	Users      int64
	ValueSum   float64
}

// ItemDate is a row of item_popularity.
type ItemDate struct {
	Item   string
	Events int64
	Users  int64
	Score  float64
}

// dailyKey is a group: who is a user or an item; day and kind are 0 in item_popularity.
type dailyKey struct {
	date, day int32
	who, kind int32
}

type dailySums struct {
	events, users int64
	sum           float64
}

// whom counts a user once a group.
type whom struct {
	key  dailyKey
	user int32
}

// dailyParts are the aggregates of one worker.
type dailyParts struct {
	users, items, popularity map[dailyKey]*dailySums
	seen, seenEver           map[whom]struct{}
}

func newDailyParts() dailyParts {
	return dailyParts{
		users: map[dailyKey]*dailySums{}, items: map[dailyKey]*dailySums{}, popularity: map[dailyKey]*dailySums{},
		seen: map[whom]struct{}{}, seenEver: map[whom]struct{}{},
	}
}

func (d *dailyParts) addUser(date int32, r *row) {
	s := sums(d.users, dailyKey{date, dayOfMillis(r.time), r.userNo, r.kindNo})
	s.events++
	s.sum += r.value
}

func (d *dailyParts) addItem(date int32, r *row, weight float64) {
	key := dailyKey{date, dayOfMillis(r.time), r.itemNo, r.kindNo}
	s := sums(d.items, key)
	s.events++
	s.sum += r.value
	s.users += first(d.seen, whom{key, r.userNo})

	key = dailyKey{date: date, who: r.itemNo}
	s = sums(d.popularity, key)
	s.events++
	s.sum += weight
	s.users += first(d.seenEver, whom{key, r.userNo})
}

func sums(m map[dailyKey]*dailySums, k dailyKey) *dailySums {
	s := m[k]
	if s == nil {
		s = &dailySums{}
		m[k] = s
	}
	return s
}

// first returns 1 the first time that x is met, then 0.
func first(m map[whom]struct{}, x whom) int64 {
	if _, met := m[x]; met {
		return 0
	}
	m[x] = struct{}{}
	return 1
}

// daily collects the workers' aggregates into sorted rows. Keys of different workers are disjoint.
func (e *engine) daily() Daily {
	out := Daily{}
	at := func(date int32) *Partition {
		if out[date] == nil {
			out[date] = &Partition{}
		}
		return out[date]
	}
	users, items, kinds := e.decoder.users.texts, e.decoder.items.texts, e.decoder.kinds.texts
	for _, w := range e.workers {
		for k, s := range w.daily.users {
			p := at(k.date)
			p.Users = append(p.Users, UserDay{k.day, users[k.who], kinds[k.kind], s.events, s.sum})
		}
		for k, s := range w.daily.items {
			p := at(k.date)
			p.Items = append(p.Items, ItemDay{k.day, items[k.who], kinds[k.kind], s.events, s.users, s.sum})
		}
		for k, s := range w.daily.popularity {
			p := at(k.date)
			p.Popularity = append(p.Popularity, ItemDate{items[k.who], s.events, s.users, s.sum})
		}
	}
	for _, p := range out {
		p.sort()
	}
	return out
}

func (p *Partition) sort() {
	slices.SortFunc(p.Users, func(a, b UserDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.User, b.User), cmp.Compare(a.Type, b.Type))
	})
	slices.SortFunc(p.Items, func(a, b ItemDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Type, b.Type))
	})
	slices.SortFunc(p.Popularity, func(a, b ItemDate) int { return cmp.Compare(a.Item, b.Item) })
}
