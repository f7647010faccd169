package shop

import (
	"math"
	"math/rand/v2"

	"github.com/anabranch/anabranch/schemas/event"
)

// Behaviour of a session.
const (
	sessionMean  = 8.0  // events of a session on average, about
	sessionMost  = 48   // events of a session at most
	gapLeast     = 3.0  // seconds between two events
	gapMean      = 25.0 // seconds beyond gapLeast, on average
	gapMost      = 180.0
	jump         = 0.22 // chance to move on to another category after a view
	drift        = 0.2  // weight of the viewed item in the session's interest
	candidates   = 8    // items that a view chooses from
	sharpness    = 5.0  // how decisively it chooses
	hotBoost     = 4.0  // how much readier everybody is for the day's hot category
	pickAttempts = 32   // draws before a session settles for what is surely available
)

// Pages of an event's context, in the order of the table of words.
const (
	pageCategory = iota
	pageSearch
	pageProduct
	pageCheckout
)

// session is one visit on its way. It holds its own random numbers, so that what happens in it does
// not depend on how sessions interleave, except that a user is in one session at a time.
type session struct {
	src      rand.PCG
	r        *rand.Rand
	number   uint64
	id       string
	user     int
	next     int64   // time of the next event, Unix milliseconds
	left     int     // events still to come
	scale    float64 // of the gaps; 1 is a person's pace
	interest vec
	category int
	last     int // item viewed last, -1 before the first
	stage    string
}

// begin seeds the session and draws its length, always as the first number.
func (x *session) begin(seed, stream, number uint64) {
	x.src.Seed(hash(seed, stream, number), hash(number, stream, seed))
	if x.r == nil {
		x.r = rand.New(&x.src)
	}
	x.number, x.left, x.last, x.stage, x.scale = number, lengthOf(x.r), -1, View, 1
}

func lengthOf(r *rand.Rand) int {
	return min(sessionMost, 1+int(r.ExpFloat64()*(sessionMean-0.5)))
}

// enter chooses who comes at time t, among those who have joined and are not in a session.
func (s *Shop) enter(x *session, t int64, busy []bool) {
	x.next = t
	for range pickAttempts {
		x.user = pick(x.r, s.activity)
		if !busy[x.user] && s.users[x.user].joined <= t {
			break
		}
	}
	u := &s.users[x.user]
	x.interest = around(x.r, &u.taste, 0.5)
	x.category = -1
	s.moveOn(x)
}

// moveOn chooses the next category: what the user likes, near the current one, the hot one more.
func (s *Shop) moveOn(x *session) {
	var space [len(kinds)]float64
	weights := space[:len(s.categories)]
	mix := s.users[x.user].mix
	for c := range weights {
		weights[c] = float64(mix[c])
		if x.category >= 0 {
			weights[c] *= s.categories[x.category].near[c]
		}
	}
	weights[s.hotOn(x.next)] *= hotBoost
	x.category = pickWeights(x.r, weights)
}

// hotOn returns the hot category of the day (counted from the start) that t is in.
func (s *Shop) hotOn(t int64) int {
	return int(hash(s.cfg.Seed, streamHot, uint64((t-s.start)/dayMS)) % uint64(len(s.categories)))
}

// step makes the session's next event (without an event id) and moves it on to the one after.
// It reports false when that was the last.
func (s *Shop) step(x *session) (event.Event, bool) {
	page := pageProduct
	if x.stage == View || !s.available(x.last, x.next) {
		page = s.view(x)
	} else if x.stage == Purchase {
		page = pageCheckout
	}
	u, it := &s.users[x.user], &s.items[x.last]
	e := event.Event{
		UserID: u.id, ItemID: it.id, Type: x.stage, Time: event.Millis(x.next), SessionID: x.id,
		Context: s.contexts[int(u.device)*len(pages)+page],
	}
	if x.stage == Purchase {
		price := it.price
		e.Value = &price
	}
	s.advance(x)
	return e, x.left > 0
}

// view chooses the item to look at and the page where it was found.
func (s *Shop) view(x *session) int {
	x.stage = View
	if x.last >= 0 && x.r.Float64() < jump {
		s.moveOn(x)
	}
	x.last = s.choose(x)
	x.interest = x.interest.towards(&s.items[x.last].vector, drift)
	if x.r.IntN(4) == 0 {
		return pageSearch
	}
	return pageCategory
}

// choose draws candidates by popularity and takes one of them, likelier the better it fits.
func (s *Shop) choose(x *session) int {
	k := &s.categories[x.category]
	var found [candidates]int
	var weights [candidates]float64
	n := 0
	for attempt := 0; attempt < pickAttempts && n < candidates; attempt++ {
		i := int(k.members[pick(x.r, k.popularity)])
		if i == x.last || !s.available(i, x.next) {
			continue
		}
		found[n] = i
		weights[n] = math.Exp(float64(sharpness * x.interest.dot(&s.items[i].vector)))
		n++
	}
	if n == 0 {
		return x.category // a category's first item is its flagship
	}
	return found[pickWeights(x.r, weights[:n])]
}

// advance decides what the session does next and when.
func (s *Shop) advance(x *session) {
	u, it := &s.users[x.user], &s.items[x.last]
	fit := u.taste.dot(&it.vector) // -1 to 1
	switch {
	case x.stage == View && x.r.Float64() < 0.05+float64(0.22*max(0, fit)):
		x.stage = Cart
	case x.stage == Cart && x.r.Float64() < math.Min(0.9, u.thrift*(0.3+float64(0.3*max(0, fit)))):
		x.stage = Purchase
	default:
		x.stage = View
	}
	gap := math.Min(gapMost, gapLeast+float64(gapMean*x.r.ExpFloat64()))
	x.next += max(1, int64(gap*1000*x.scale))
	x.left--
}

// drawContexts returns the contexts of events, for every device and page. Events share them.
func drawContexts() []map[string]string {
	var out []map[string]string
	for _, device := range devices {
		for _, page := range pages {
			out = append(out, map[string]string{"device": device, "page": page})
		}
	}
	return out
}
