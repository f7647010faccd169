package eval

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/anabranch/anabranch/batch/train"
)

// HoldoutParams say whose last interaction is held out.
type HoldoutParams struct {
	Seed     uint64
	Fraction float64 // of the eligible users, in (0, 1]
	AtLeast  int     // interactions a user must have to be eligible
	AtMost   int     // users

	// Key identifies a user across runs, see UserKey. When nil, the row number does, which shifts when users are added.
	Key func(user int32) uint64
}

// DefaultHoldout returns the protocol of the nightly job: 5 % of the users with 5 or more interactions, at most 1,000.
func DefaultHoldout(seed uint64) HoldoutParams {
	return HoldoutParams{Seed: seed, Fraction: .05, AtLeast: 5, AtMost: 1000}
}

// UserKey hashes a user's id (FNV-1a).
func UserKey(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return h.Sum64()
}

// Case is one user to evaluate: which items a perfect recommender would rank first.
type Case struct {
	User     int32
	Relevant []int32 // rises strictly
}

// Holdout splits interactions. Of the eligible users, those with the least hash of key and seed are picked: at least one
// (when anyone is eligible), at most AtMost. A user's last interaction is the latest by time, then by Seq, then by item;
// together with it goes every other interaction of that user with the same item, since an item that stays in the history
// is never recommended. A user with a single item is not eligible. Cases are ordered by user; kept interactions keep
// their order.
func Holdout(all []Interaction, p HoldoutParams) (kept []Interaction, cases []Case, err error) {
	if !(p.Fraction > 0 && p.Fraction <= 1) || p.AtLeast < 2 || p.AtMost < 1 {
		return nil, nil, fmt.Errorf("holdout of a fraction of %v, at least %d interactions, at most %d users: "+
			"needs a fraction in (0, 1], at least 2 interactions and at most 1 or more users", p.Fraction, p.AtLeast, p.AtMost)
	}
	last := pick(eligible(all, p.AtLeast), p)
	kept = make([]Interaction, 0, len(all))
	for _, in := range all {
		if held, ok := last[in.User]; !ok || held != in.Item {
			kept = append(kept, in)
		}
	}
	for user, item := range last {
		cases = append(cases, Case{User: user, Relevant: []int32{item}})
	}
	slices.SortFunc(cases, func(a, b Case) int { return cmp.Compare(a.User, b.User) })
	return kept, cases, nil
}

// tally is what Holdout needs to know of a user.
type tally struct {
	user   int32
	count  int
	last   Interaction
	varied bool // has more than one item
}

// eligible returns the users with enough interactions and more than one item, in order of user.
func eligible(all []Interaction, atLeast int) []tally {
	byUser := map[int32]*tally{}
	for _, in := range all {
		t := byUser[in.User]
		if t == nil {
			t = &tally{user: in.User, last: in}
			byUser[in.User] = t
		}
		t.count++
		t.varied = t.varied || in.Item != t.last.Item
		if later(in, t.last) {
			t.last = in
		}
	}
	var out []tally
	for _, t := range byUser {
		if t.count >= atLeast && t.varied {
			out = append(out, *t)
		}
	}
	slices.SortFunc(out, func(a, b tally) int { return cmp.Compare(a.user, b.user) })
	return out
}

func later(a, b Interaction) bool {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Item, b.Item)) > 0
}

// pick returns the last item of each chosen user.
func pick(users []tally, p HoldoutParams) map[int32]int32 {
	key := p.Key
	if key == nil {
		key = func(user int32) uint64 { return uint64(user) }
	}
	hash := make(map[int32]uint64, len(users))
	for _, u := range users {
		hash[u.user] = mix(key(u.user) ^ mix(p.Seed))
	}
	slices.SortStableFunc(users, func(a, b tally) int { return cmp.Compare(hash[a.user], hash[b.user]) })
	n := int(p.Fraction*float64(len(users)) + .5)
	n = min(max(n, 1), p.AtMost, len(users))
	last := make(map[int32]int32, n)
	for _, u := range users[:n] {
		last[u.user] = u.last.Item
	}
	return last
}

// mix is the output function of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Matrix sums interactions into the users × items matrix to train on.
func Matrix(interactions []Interaction, users, items int) (train.CSR, error) {
	triples := make([]train.Triple, len(interactions))
	for i, in := range interactions {
		triples[i] = train.Triple{Row: in.User, Col: in.Item, Weight: in.Weight}
	}
	m, err := train.NewCSR(users, items, triples)
	if err != nil {
		return train.CSR{}, fmt.Errorf("building the matrix of %d interactions: %w", len(interactions), err)
	}
	return m, nil
}
