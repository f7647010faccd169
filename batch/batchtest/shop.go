package batchtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// Shop draws events with a taste: a user prefers one of five categories of items.
type Shop struct {
	Rand         *rand.Rand
	Users, Items int
	n            int
}

// NewShop returns a shop whose draws follow from the seed.
func NewShop(seed uint64, users, items int) *Shop {
	return &Shop{Rand: rand.New(rand.NewPCG(seed, 7)), Users: users, Items: items}
}

const categories = 5

// Event draws an event that happened at some time before at, within the span.
func (s *Shop) Event(at time.Time, span time.Duration) event.Event {
	s.n++
	u := s.Rand.IntN(s.Users)
	i := s.Rand.IntN(s.Items)
	if s.Rand.Float64() < .8 { // the user's own category, popular items first
		i = int(float64(s.Items/categories)*s.Rand.Float64()*s.Rand.Float64())*categories + u%categories
	}
	i = min(i, s.Items-1)
	category := fmt.Sprintf("c%d", i%categories)
	e := event.Event{
		ID: fmt.Sprintf("e%d", s.n), UserID: fmt.Sprintf("u%d", u), ItemID: fmt.Sprintf("i%d", i),
		Type: []string{"view", "view", "view", "cart", "purchase"}[s.Rand.IntN(5)],
		Time: event.MillisOf(at.Add(-time.Duration(s.Rand.Int64N(int64(span))))),
	}
	if s.Rand.IntN(10) > 0 {
		e.Stamp = &event.Stamp{Category: &category}
	}
	if e.Type == "purchase" {
		v := float64(s.Rand.IntN(10000)) / 4
		e.Value = &v
	}
	return e
}

// Events draws n events in order of time.
func (s *Shop) Events(n int, at time.Time, span time.Duration) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		slot := span / time.Duration(n)
		out[i] = s.Event(at.Add(-span+time.Duration(i+1)*slot), slot)
	}
	return out
}
