// Package shop is the built-in shop: a seeded synthetic source of events, catalog records and
// profiles whose structure is worth learning. It is pure: no I/O, no clock, no goroutine. Equal
// Configs give equal events forever; a golden hash guards that.
//
// What there is to find in the data:
//
//   - Taste. Categories, items and users live in one latent space. A user has a mix over categories
//     and a vector; which item of a category is viewed depends on both. Tags, titles and brands are
//     drawn from the item's vector, so content tells taste as well.
//   - Cold start. A user's taste is drawn around the segment's, and age band, country and segment
//     are in the profile. Some users arrive, and some items appear, in the middle of the history.
//   - Order. Within a session the interest drifts towards what was just seen and jumps to
//     neighbouring categories, so what was viewed last tells what comes next.
//   - Popularity. Items are Zipf within their category, traffic follows the hour of the day, and
//     every day one category is hot. Items sell out and come back (attribute available).
//   - Funnels. A view may lead to a cart and that to a purchase, likelier the better the item fits.
//     A purchase carries the price as its value.
//
// History is a finite stream that ends at Config.End; Live goes on from there, for ever. Events
// carry no stamp (event.Stamp): whoever takes them in stamps them from the catalog.
package shop

import (
	"fmt"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// Types of the shop's events.
const (
	View     = "view"
	Cart     = "cart"
	Purchase = "purchase"
)

// Limits of a Config. They bound what New keeps in memory (about 300 bytes a user, 1 KB an item).
const (
	MaxUsers  = 1_000_000
	MaxItems  = 1_000_000
	MaxEvents = 2_000_000_000
	MaxDays   = 3650
)

const (
	dayMS  = 86_400_000
	hourMS = 3_600_000
)

// Config says how large a shop is. Default gives the usual one.
type Config struct {
	Users  int       // user ids u1 to u<Users>
	Items  int       // item ids i1 to i<Items>
	Days   int       // length of the history
	Events int       // events of the history, approximately
	Seed   uint64    // equal seeds give equal shops
	End    time.Time // end of the history, exclusive
}

// Default returns the shop of the demo: 5,000 users, 2,000 items, 500,000 events in 14 days.
func Default(end time.Time) Config {
	return Config{Users: 5_000, Items: 2_000, Days: 14, Events: 500_000, Seed: 1, End: end}
}

// Validate returns an error that names the first field which is out of range.
func (c Config) Validate() error {
	for _, f := range [...]struct {
		name      string
		got, most int
	}{
		{"users", c.Users, MaxUsers}, {"items", c.Items, MaxItems}, {"days", c.Days, MaxDays}, {"events", c.Events, MaxEvents},
	} {
		if f.got < 1 || f.got > f.most {
			return fmt.Errorf("shop: %s is %d; 1 to %d is accepted", f.name, f.got, f.most)
		}
	}
	if c.End.IsZero() {
		return fmt.Errorf("shop: end is not set; the end of the history is required")
	}
	start := c.End.UnixMilli() - int64(c.Days)*dayMS
	if start < event.MinEventTime || c.End.Year() > 9999 {
		return fmt.Errorf("shop: a history of %d days up to %s is outside 1970-01-02 to 9999-12-31", c.Days, c.End.UTC().Format(time.RFC3339))
	}
	return nil
}

// Shop is a generated world: its catalog, its users and what they do. It is immutable and safe for
// concurrent use; every iterator it returns starts anew.
type Shop struct {
	cfg        Config
	start, end int64 // Unix milliseconds
	name       string
	categories []category
	items      []item
	users      []user
	activity   []float64 // cumulative activity of the users
	contexts   []map[string]string
}

// New generates the catalog and the users. It returns Validate's error for a Config out of range.
func New(c Config) (*Shop, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Shop{cfg: c, end: c.End.UnixMilli(), contexts: drawContexts()}
	s.start = s.end - int64(c.Days)*dayMS
	s.name = fmt.Sprintf("%010x", hash(c.Seed, uint64(c.Users), uint64(c.Items), uint64(c.Days), uint64(c.Events), uint64(s.end))>>24)
	s.drawCategories()
	s.drawItems()
	s.drawUsers()
	return s, nil
}

// Config returns what the shop was made from.
func (s *Shop) Config() Config { return s.cfg }

// Start returns the beginning of the history, inclusive.
func (s *Shop) Start() time.Time { return time.UnixMilli(s.start).UTC() }

// End returns the end of the history, exclusive.
func (s *Shop) End() time.Time { return time.UnixMilli(s.end).UTC() }
