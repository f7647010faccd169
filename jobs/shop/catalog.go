package shop

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// category is one shelf. Its items are in order of popularity, with running sums of their weights.
type category struct {
	kind       int
	centre     vec
	size       float64   // share of the items
	near       []float64 // how readily a session moves on to every category
	members    []int32
	popularity []float64
}

// item is one product. attributes are all but "available" and are never handed out themselves.
type item struct {
	id         string
	category   int
	vector     vec
	price      float64
	born       int64 // when it appears, Unix milliseconds; the shop's start for most
	flagship   bool  // never sells out, so that no category is ever empty
	attributes map[string]any
}

const (
	lateItems   = 0.2  // share of the items that appear after the start
	soldOut     = 0.02 // chance of an item to sell out on a given day
	soldOutMost = dayMS
)

func (s *Shop) drawCategories() {
	r := newRand(s.cfg.Seed, streamCategories, 0)
	n := min(len(kinds), s.cfg.Items)
	s.categories = make([]category, n)
	order := r.Perm(n)
	for c := range s.categories {
		k := &s.categories[c]
		k.kind = c
		k.centre = around(r, &vec{}, 1)
		k.size = 1 / math.Sqrt(float64(order[c]+3))
	}
	for c := range s.categories {
		k := &s.categories[c]
		k.near = make([]float64, n)
		for d := range k.near {
			k.near[d] = math.Exp(float64(2.5 * k.centre.dot(&s.categories[d].centre)))
		}
	}
}

func (s *Shop) drawItems() {
	r := newRand(s.cfg.Seed, streamItems, 0)
	sizes := make([]float64, len(s.categories))
	for c := range s.categories {
		sizes[c] = s.categories[c].size
	}
	s.items = make([]item, s.cfg.Items)
	for i := range s.items {
		it := &s.items[i]
		it.id = numbered("i", i+1)
		it.born = s.start
		if it.flagship = i < len(s.categories); it.flagship {
			it.category = i
		} else {
			it.category = pickWeights(r, sizes)
			if r.Float64() < lateItems {
				it.born += int64(r.Float64() * float64(s.end-s.start))
			}
		}
		s.drawItem(r, it)
		k := &s.categories[it.category]
		k.members = append(k.members, int32(i))
	}
	for c := range s.categories {
		k := &s.categories[c]
		r.Shuffle(len(k.members), func(a, b int) { k.members[a], k.members[b] = k.members[b], k.members[a] })
		k.popularity = zipf(len(k.members))
	}
}

// drawItem gives an item its vector and the attributes that follow from it.
func (s *Shop) drawItem(r *rand.Rand, it *item) {
	k := &s.categories[it.category]
	kind := &kinds[k.kind]
	it.vector = around(r, &k.centre, 0.9)
	whole := math.Max(2, math.Round(kind.price*math.Exp(0.5*r.NormFloat64())))
	it.price = (whole*100 - 5) / 100 // such as 59.95

	noun := kind.nouns[r.IntN(len(kind.nouns))]
	first, second := styleTags(&it.vector)
	title := []string{capital(first), materials[r.IntN(len(materials))], noun}
	// A brand stands for a region of the latent space: the half-spaces of three dimensions, and a third at random.
	brand := half(it.vector[0]) + 2*half(it.vector[1]) + 4*half(it.vector[2])
	if r.IntN(3) == 0 {
		brand = r.IntN(len(brands))
	}
	it.attributes = map[string]any{
		"title": strings.Join(title, " "), "category": kind.name, "price": it.price, "brand": brands[brand],
		"tags": []any{strings.ReplaceAll(strings.ToLower(noun), " ", "_"), first, second},
	}
}

// styleTags names the two latent directions an item points to most.
func styleTags(v *vec) (first, second string) {
	var order [dims]int
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order[:], func(a, b int) int { return cmp.Compare(math.Abs(v[b]), math.Abs(v[a])) })
	return styles[order[0]][half(v[order[0]])], styles[order[1]][half(v[order[1]])]
}

func half(x float64) int {
	if x < 0 {
		return 1
	}
	return 0
}

// zipf returns the running sums of 1/(rank+2)^0.9.
func zipf(n int) []float64 {
	out := make([]float64, n)
	var sum float64
	for i := range out {
		sum += math.Pow(float64(i+3), -0.9)
		out[i] = sum
	}
	return out
}

// soldOutOn returns when the item is sold out because of the day's (counted from the start) draw.
func (s *Shop) soldOutOn(i int, day int64) (from, to int64, ok bool) {
	if s.items[i].flagship {
		return 0, 0, false
	}
	h := hash(s.cfg.Seed, streamSellOut, uint64(i), uint64(day))
	if float64(h>>40)/(1<<24) >= soldOut {
		return 0, 0, false
	}
	from = s.start + day*dayMS + int64(h&0xfff)*dayMS/0x1000
	return from, from + soldOutMost/4 + int64(h>>12&0xfff)*(soldOutMost*3/4)/0x1000, true
}

// available reports whether the item is on sale at t.
func (s *Shop) available(i int, t int64) bool {
	if t < s.items[i].born {
		return false
	}
	day := (t - s.start) / dayMS
	for d := max(0, day-1); d <= day; d++ {
		if from, to, ok := s.soldOutOn(i, d); ok && from <= t && t < to {
			return false
		}
	}
	return true
}

// Change is a catalog record that takes effect at Time.
type Change struct {
	Time event.Millis
	Item event.Item
}

// Items returns the catalog at the start of the history; see CatalogChanges for what follows.
func (s *Shop) Items() []event.Item { return s.ItemsAt(s.Start()) }

// ItemsAt returns the catalog at an instant: the items that have appeared by then, in id order, each
// with its attribute "available".
func (s *Shop) ItemsAt(at time.Time) []event.Item {
	t := at.UnixMilli()
	out := make([]event.Item, 0, len(s.items))
	for i := range s.items {
		if s.items[i].born <= t {
			out = append(out, s.record(i, s.available(i, t)))
		}
	}
	return out
}

// CatalogChanges returns the changes of the catalog during the history, in time order.
func (s *Shop) CatalogChanges() []Change { return s.ChangesBetween(s.Start(), s.End()) }

// ChangesBetween returns the changes after from and up to to, in time order: items that appear, that
// sell out and that are back. ItemsAt(from) and these changes give ItemsAt(to).
func (s *Shop) ChangesBetween(from, to time.Time) []Change {
	a, b := from.UnixMilli(), to.UnixMilli()
	var out []Change
	for i := range s.items {
		out = s.appendChanges(out, i, a, b)
	}
	slices.SortStableFunc(out, func(x, y Change) int { return cmp.Compare(x.Time, y.Time) })
	return out
}

// appendChanges adds the item's changes in (a, b]: every instant at which something might change,
// kept where something does.
func (s *Shop) appendChanges(out []Change, i int, a, b int64) []Change {
	times := []int64{s.items[i].born}
	for day := max(0, (a-s.start)/dayMS-1); day <= (b-s.start)/dayMS; day++ {
		if from, to, ok := s.soldOutOn(i, day); ok {
			times = append(times, from, to)
		}
	}
	slices.Sort(times)
	for _, t := range slices.Compact(times) {
		if t <= a || t > b || t < s.items[i].born {
			continue
		}
		if now := s.available(i, t); t == s.items[i].born || now != s.available(i, t-1) {
			out = append(out, Change{Time: event.Millis(t), Item: s.record(i, now)})
		}
	}
	return out
}

// record returns a catalog record that the caller may change.
func (s *Shop) record(i int, available bool) event.Item {
	attributes := make(map[string]any, len(s.items[i].attributes)+1)
	for k, v := range s.items[i].attributes {
		if list, ok := v.([]any); ok {
			v = slices.Clone(list)
		}
		attributes[k] = v
	}
	attributes["available"] = available
	return event.Item{ID: s.items[i].id, Attributes: attributes}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
