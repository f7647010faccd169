package shop

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
)

// user is one visitor.
type user struct {
	id                    string
	taste                 vec
	mix                   []float32 // how much of every category, sum 1
	joined                int64     // first visit at the earliest, Unix milliseconds
	thrift                float64   // multiplies the chance to buy
	device                uint8
	segment, age, country uint8
}

// segment is what its users have in common.
type segment struct {
	parameters []float64 // of the Dirichlet distribution of their mixes
	ages       []float64
	countries  []float64
}

const (
	lateUsers  = 0.1 // share of the users who arrive after the start
	lateUntil  = 0.9 // part of the history by which all have arrived
	mixDensity = 4.0 // sum of the Dirichlet parameters: the smaller, the more one-sided the users
)

func (s *Shop) drawUsers() {
	r := newRand(s.cfg.Seed, streamUsers, 0)
	groups := make([]segment, len(segments))
	for g := range groups {
		groups[g] = s.drawSegment(r)
	}
	s.users = make([]user, s.cfg.Users)
	s.activity = make([]float64, s.cfg.Users)
	mix := make([]float64, len(s.categories))
	var sum float64
	for i := range s.users {
		s.drawUser(r, i, groups, mix)
		sum += math.Exp(r.NormFloat64())
		s.activity[i] = sum
	}
}

func (s *Shop) drawSegment(r *rand.Rand) segment {
	n := len(s.categories)
	g := segment{parameters: make([]float64, n), ages: make([]float64, len(ageBands)), countries: make([]float64, len(countries))}
	// A segment likes the categories around one point of the latent space.
	centre := around(r, &vec{}, 1)
	var sum float64
	for c := range g.parameters {
		g.parameters[c] = math.Exp(float64(4 * centre.dot(&s.categories[c].centre)))
		sum += g.parameters[c]
	}
	for c := range g.parameters {
		g.parameters[c] = float64(mixDensity*g.parameters[c])/sum + 0.02
	}
	for _, weights := range [][]float64{g.ages, g.countries} {
		for i := range weights {
			weights[i] = gamma(r, 0.6) + 0.02
		}
	}
	return g
}

func (s *Shop) drawUser(r *rand.Rand, i int, groups []segment, mix []float64) {
	u := &s.users[i]
	u.id = numbered("u", i+1)
	u.segment = uint8(r.IntN(len(groups)))
	g := &groups[u.segment]
	u.age = uint8(pickWeights(r, g.ages))
	u.country = uint8(pickWeights(r, g.countries))
	u.device = uint8(pickWeights(r, []float64{6, 3, 1}))
	u.thrift = math.Exp(0.4 * r.NormFloat64())
	u.joined = s.start
	if r.Float64() < lateUsers {
		u.joined += int64(lateUntil * r.Float64() * float64(s.end-s.start))
	}
	dirichlet(r, g.parameters, mix)
	u.mix = make([]float32, len(mix))
	var centre vec
	for c, share := range mix {
		u.mix[c] = float32(share)
		for d := range centre {
			centre[d] += float64(share * s.categories[c].centre[d])
		}
	}
	// Half of a taste shows in the categories, half is the user's own.
	centre = centre.unit()
	u.taste = around(r, &centre, 1)
}

// Profiles returns the profile records of all users, in id order.
func (s *Shop) Profiles() []event.User {
	out := make([]event.User, len(s.users))
	for i := range s.users {
		u := &s.users[i]
		out[i] = event.User{ID: u.id, Attributes: map[string]any{
			"segment": segments[u.segment], "age_band": ageBands[u.age], "country": countries[u.country],
		}}
	}
	return out
}

func numbered(prefix string, n int) string { return prefix + strconv.Itoa(n) }
