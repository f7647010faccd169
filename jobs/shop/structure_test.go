package shop

import (
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
)

// history is what the tests of structure look at: the default shop's.
type history struct {
	s      *Shop
	events []event.Event
	items  map[string]int // index by id
	users  map[string]int
}

func load(t *testing.T) history {
	t.Helper()
	h := history{s: open(t, Default(end)), items: map[string]int{}, users: map[string]int{}}
	h.events = slices.Collect(h.s.History())
	for i := range h.s.items {
		h.items[h.s.items[i].id] = i
	}
	for i := range h.s.users {
		h.users[h.s.users[i].id] = i
	}
	return h
}

func TestDefaultShop(t *testing.T) {
	h := load(t)
	t.Run("scale", h.testScale)
	t.Run("catalog is kept", h.testCatalogIsKept)
	t.Run("funnel", h.testFunnel)
	t.Run("structure", h.testStructure)
	t.Run("traffic", h.testTraffic)
}

func (h history) category(e event.Event) int { return h.s.items[h.items[e.ItemID]].category }

func (h history) testScale(t *testing.T) {
	if n := len(h.events); n < 500_000 || n > 510_000 {
		t.Errorf("%d events, want 500,000 to 510,000", n)
	}
	seen := map[string]bool{}
	for _, e := range h.events {
		seen[e.UserID] = true
		seen[e.ItemID] = true
	}
	if n := len(seen); n < 6_700 {
		t.Errorf("%d of 7,000 users and items appear in events", n)
	}
}

// testCatalogIsKept holds every event to the catalog of its time.
func (h history) testCatalogIsKept(t *testing.T) {
	for _, e := range h.events {
		if i := h.items[e.ItemID]; !h.s.available(i, int64(e.Time)) {
			t.Fatalf("%s of %s at %s, when it is not on sale", e.Type, e.ItemID, e.Time)
		}
		if u := h.users[e.UserID]; h.s.users[u].joined > int64(e.Time) {
			t.Fatalf("%s acts at %s, before arriving", e.UserID, e.Time)
		}
	}
	out, late := 0, 0
	for _, c := range h.s.CatalogChanges() {
		if !c.Item.Available() {
			out++
		}
	}
	for i := range h.s.items {
		if h.s.items[i].born > h.s.start {
			late++
		}
	}
	if out < 300 || late < 300 || late > 500 {
		t.Errorf("%d times sold out, %d items that appear late", out, late)
	}
}

// testFunnel holds every cart to a view just before it, and every purchase to a cart.
func (h history) testFunnel(t *testing.T) {
	type at struct{ item, stage, user string }
	before := map[string]at{}
	count := map[string]int{}
	for _, e := range h.events {
		last := before[e.SessionID]
		if last.user != "" && last.user != e.UserID {
			t.Fatalf("session %s has two users", e.SessionID)
		}
		if e.Type == Cart && last != (at{e.ItemID, View, e.UserID}) || e.Type == Purchase && last != (at{e.ItemID, Cart, e.UserID}) {
			t.Fatalf("%s of %s follows %v", e.Type, e.ItemID, last)
		}
		if (e.Value != nil) != (e.Type == Purchase) || e.Value != nil && *e.Value != h.s.items[h.items[e.ItemID]].price {
			t.Fatalf("%s of %s has value %v", e.Type, e.ItemID, e.Value)
		}
		before[e.SessionID] = at{e.ItemID, e.Type, e.UserID}
		count[e.Type]++
	}
	t.Log(count, len(before), "sessions")
	if c, p := share(count[Cart], count[View]), share(count[Purchase], count[Cart]); c < 0.05 || c > 0.3 || p < 0.2 || p > 0.7 {
		t.Errorf("%.3f carts a view, %.3f purchases a cart", c, p)
	}
}

// testStructure measures what a model is meant to find. The bounds are far from chance (a
// permutation of the users or the items would fail every one) and not tight.
func (h history) testStructure(t *testing.T) {
	n := len(h.s.categories)
	views := make([]int, len(h.s.items))
	inCategory := make([]int, n)
	mine := map[string][]int{}    // views by user and category
	bySegment := make([][]int, 8) // views by segment and category
	var follow, same, hot, m int  // consecutive views, those in one category, in the hot one, all
	last := map[string]int{}
	var fit, chance float64
	for _, e := range h.events {
		if e.Type != View {
			continue
		}
		i, c := h.items[e.ItemID], h.category(e)
		u := &h.s.users[h.users[e.UserID]]
		views[i]++
		inCategory[c]++
		if mine[e.UserID] == nil {
			mine[e.UserID] = make([]int, n)
		}
		mine[e.UserID][c]++
		if bySegment[u.segment] == nil {
			bySegment[u.segment] = make([]int, n)
		}
		bySegment[u.segment][c]++
		if before, ok := last[e.SessionID]; ok {
			follow++
			if before == c {
				same++
			}
		}
		last[e.SessionID] = c
		if h.s.hotOn(int64(e.Time)) == c {
			hot++
		}
		members := h.s.categories[c].members
		fit += u.taste.dot(&h.s.items[i].vector)
		chance += u.taste.dot(&h.s.items[members[m%len(members)]].vector)
		m++
	}
	slices.Sort(views)
	slices.Reverse(views)
	top := sum(views[:len(views)/10])
	var own int
	for _, u := range mine {
		own += slices.Max(u)
	}
	var group int
	for _, g := range bySegment {
		group += slices.Max(g)
	}
	for _, x := range []struct {
		what        string
		got         float64
		least, most float64
	}{
		{"share of views on the 10% most viewed items", share(top, m), 0.3, 0.8},
		{"share of views in a category's most viewed", share(slices.Max(inCategory), m), 0.04, 0.15},
		{"share of views in the user's own favourite category", share(own, m), 0.25, 0.8},
		{"share of views in the segment's favourite category", share(group, m), 0.1, 0.5},
		{"share of views that stay in the category", share(same, follow), 0.7, 0.95},
		{"share of views in the day's hot category", share(hot, m), 0.06, 0.35},
		{"fit of what is viewed beyond its category's average", (fit - chance) / float64(m), 0.08, 1},
	} {
		t.Logf("%s: %.3f", x.what, x.got)
		if x.got < x.least || x.got > x.most {
			t.Errorf("%s is %.3f, want %.2f to %.2f", x.what, x.got, x.least, x.most)
		}
	}
}

// testTraffic compares the evening with the night.
func (h history) testTraffic(t *testing.T) {
	var hours [24]int
	for _, e := range h.events {
		hours[e.Time.Time().Hour()]++
	}
	if hours[20] < 3*hours[4] {
		t.Errorf("%d events at 20h, %d at 4h", hours[20], hours[4])
	}
}

func share(a, b int) float64 { return float64(a) / float64(b) }

func sum(xs []int) (n int) {
	for _, x := range xs {
		n += x
	}
	return n
}
