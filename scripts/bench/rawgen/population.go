package rawgen

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
)

// skew is the exponent of the popularity of users and items.
const skew = -0.8

// dice draws numbers with given weights in constant time (Walker's alias method).
type dice struct {
	keep  []float64 // chance that a cell keeps its own number
	other []int32
}

func newDice(weights []float64) dice {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	n := len(weights)
	d := dice{keep: make([]float64, n), other: make([]int32, n)}
	var small, large []int32
	for i, w := range weights {
		d.keep[i] = w / sum * float64(n)
		if d.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		d.other[s] = l
		d.keep[l] -= 1 - d.keep[s]
		if d.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		d.keep[i] = 1 // what rounding left over
	}
	return d
}

func (d dice) roll(rng *rand.Rand) int {
	i := rng.IntN(len(d.keep))
	if rng.Float64() < d.keep[i] {
		return i
	}
	return int(d.other[i])
}

// home is one partition: its users and its share of all rows.
type home struct {
	users []string
	dice  dice
	share float64
}

// homes deals the users to their partitions. A partition that no user hashes to gets no rows.
func homes(p Params) []home {
	out := make([]home, p.Partitions)
	weights := make([][]float64, p.Partitions)
	sum := 0.0
	for r := range p.Users {
		id := "u" + strconv.Itoa(scatter(r, p.Users))
		at := event.PartitionOf([]byte(id), p.Partitions)
		w := math.Pow(float64(r+1), skew)
		out[at].users = append(out[at].users, id)
		weights[at] = append(weights[at], w)
		out[at].share += w
		sum += w
	}
	for i := range out {
		out[i].share /= sum
		out[i].dice = newDice(weights[i])
	}
	return out
}

// scatter is a bijection of [0, n), so that an id does not tell the rank.
func scatter(rank, n int) int {
	const prime = 1_000_000_007 // larger than any n, so coprime to it
	return int(int64(rank) * prime % int64(n))
}

// catalog holds the items.
type catalog struct {
	ids        []string
	prices     []float64
	categories []*string // nil: none
	dice       dice
}

const categories = 200

func newCatalog(p Params) catalog {
	rng := rand.New(rand.NewPCG(p.Seed, 1<<62))
	names := make([]string, categories)
	for i := range names {
		names[i] = "category-" + strconv.Itoa(i)
	}
	c := catalog{ids: make([]string, p.Items), prices: make([]float64, p.Items), categories: make([]*string, p.Items)}
	weights := make([]float64, p.Items)
	for r := range p.Items {
		c.ids[r] = "i" + strconv.Itoa(scatter(r, p.Items))
		c.prices[r] = float64(99+100*rng.IntN(500)) / 100
		if rng.IntN(10) > 0 {
			c.categories[r] = &names[rng.IntN(categories)]
		}
		weights[r] = math.Pow(float64(r+1), skew)
	}
	c.dice = newDice(weights)
	return c
}
