package rawgen

import (
	"math/rand/v2"

	"github.com/anabranch/anabranch/schemas/event"
)

const (
	dayMillis    = 86_400_000
	usualLag     = 2_000         // ms at most between an event and its record
	unusualLag   = 3 * dayMillis // for one event in a hundred
	repeatWithin = 64            // rows of the partition: within 128 of any of its users
	idBits       = 50            // of an event id: ten characters
)

// types are what a draw of 100 gives.
var (
	view, cart, purchase = "view", "cart", "purchase"
	reason, empty        = event.ReasonMalformed, ""
	payload              = "{"
)

// day makes the rows of one epoch and partition.
type day struct {
	p         Params
	epoch     int
	partition int32
	start     int64 // the first offset covered: that of the mark before, if any
	first     int64 // offset of the first row
	serial    int64 // of the first row's event id
	home      *home
	catalog   *catalog
	rng       *rand.Rand
}

func newDay(p Params, epoch int, partition int32, h *home, c *catalog) day {
	return day{
		p: p, epoch: epoch, partition: partition, home: h, catalog: c,
		rng: rand.New(rand.NewPCG(p.Seed, uint64(epoch)<<32|uint64(partition))),
	}
}

// rows returns n rows in the order of the log.
func (d *day) rows(n int) []event.Raw {
	out := make([]event.Raw, n)
	times, values := make([]int64, n), make([]float64, n)
	ids := d.ids(n)
	start := dayStart(d.epoch)
	for i := range out {
		at := start + int64(float64(i)*dayMillis/float64(n))
		r := &out[i]
		switch {
		case i > repeatWithin && d.rng.IntN(10_000) < d.p.Duplicates:
			*r = out[i-1-d.rng.IntN(repeatWithin)]
		case d.rng.IntN(10_000) == 0:
			r.Reject, r.Key, r.Codec, r.Payload = &reason, &empty, &empty, &payload
		default:
			times[i] = at - d.lag(at)
			r.EventID, r.EventTime = &ids[i], &times[i]
			d.interaction(r, &values[i])
		}
		r.TopicID, r.Partition, r.Offset, r.LogTime = TopicID, d.partition, d.first+int64(i), at
	}
	return out
}

// lag returns how long before its record an event happened, never before the first day.
func (d *day) lag(at int64) int64 {
	lag := d.rng.Int64N(usualLag)
	if d.rng.IntN(100) == 0 {
		lag = d.rng.Int64N(unusualLag)
	}
	return min(lag, at-dayStart(0))
}

// interaction draws who did what to which item.
func (d *day) interaction(r *event.Raw, value *float64) {
	r.UserID = &d.home.users[d.home.dice.roll(d.rng)]
	item := d.catalog.dice.roll(d.rng)
	r.ItemID, r.Price, r.Category = &d.catalog.ids[item], &d.catalog.prices[item], d.catalog.categories[item]
	switch k := d.rng.IntN(100); {
	case k < 88:
		r.Type = &view
	case k < 97:
		r.Type = &cart
	default:
		r.Type = &purchase
		*value = d.catalog.prices[item] * float64(1+d.rng.IntN(3))
		r.Value = value
	}
}

// ids returns n event ids that no other day has: the serial numbers, scrambled by a bijection, so
// that they compress as badly as real ids do.
func (d *day) ids(n int) []string {
	const alphabet = "0123456789abcdefghijklmnopqrstuv"
	const width = idBits / 5
	text := make([]byte, 0, n*width)
	for i := range n {
		x := uint64(d.serial + int64(i))
		for range 2 {
			x = x * 0x9e3779b97f4a7c15 & (1<<idBits - 1)
			x ^= x >> (idBits / 2)
		}
		for range width {
			text = append(text, alphabet[x&31])
			x >>= 5
		}
	}
	all, out := string(text), make([]string, n)
	for i := range out {
		out[i] = all[i*width : (i+1)*width]
	}
	return out
}
