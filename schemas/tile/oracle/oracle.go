// Package oracle is what every engine answers to: the meaning of a feature, said in loops over all
// distinct events and in exact arithmetic (math/big), as the sentences of DESIGN §3 say it. It shares no
// arithmetic with schemas/agg and schemas/tile: a fault there is not repeated here. It is slow on purpose.
//
//	distinct := oracle.Distinct(log)
//	for _, id := range oracle.Members(feature.User, distinct) {
//		want := oracle.Answer(c, d, oracle.Of(feature.User, id, distinct), t)
//		err := want.Check(got)
//	}
//
// Check is exact for integers, decimals, texts, times and lists. Its bounds for the rest are those that
// the package comment of schemas/agg states.
//
// # Generators
//
// Package gen makes random catalogues and logs. Whatever fails with them prints a seed: see there how
// to play it again.
package oracle

import (
	"maps"
	"slices"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Record is a valid event with its place in the log.
type Record struct {
	Event   event.Event
	Epoch   int64
	Seq     int64 // position, as one number that orders records
	LogTime int64 // Unix ms
}

// lookback is how many preceding records of a user the duplicate rule looks at.
const lookback = 128

// Distinct returns the records that are no duplicates: a valid record is a duplicate if its event id
// occurs among its user's preceding 128 valid records of the same or the preceding epoch. The log
// holds valid records only, those of a user in the order of epoch and position.
func Distinct(log []Record) []Record {
	var out []Record
	before := map[string][]Record{}
	for _, r := range log {
		user := r.Event.UserID
		if !repeats(before[user], r) {
			out = append(out, r)
		}
		before[user] = append(before[user], r)
	}
	return out
}

// repeats reports whether r is a duplicate, given the records of its user before it.
func repeats(before []Record, r Record) bool {
	for i := len(before) - 1; i >= 0 && i >= len(before)-lookback; i-- {
		b := before[i]
		if b.Event.ID == r.Event.ID && (b.Epoch == r.Epoch || b.Epoch == r.Epoch-1) {
			return true
		}
	}
	return false
}

// Members returns the ids of the entity's members that occur in the log, sorted.
func Members(e feature.Entity, log []Record) []string {
	ids := map[string]bool{}
	for _, r := range log {
		ids[Member(e, r)] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// Member returns the id of the member of the entity that a record belongs to.
func Member(e feature.Entity, r Record) string {
	switch e {
	case feature.User:
		return r.Event.UserID
	case feature.Item:
		return r.Event.ItemID
	}
	return feature.GlobalID
}

// Of returns the records of one member.
func Of(e feature.Entity, id string, log []Record) []Record {
	var out []Record
	for _, r := range log {
		if Member(e, r) == id {
			out = append(out, r)
		}
	}
	return out
}

// tileStart returns the start of the tile of w ms that contains t.
func tileStart(t, w int64) int64 {
	into := t % w
	if into < 0 {
		into += w
	}
	return t - into
}

// width returns the tile of a window: 5 minutes up to 6 hours, an hour up to 2 days, a day beyond.
func width(w feature.Window) int64 {
	const minute = 60_000
	switch {
	case int64(w) <= 6*60*minute:
		return 5 * minute
	case int64(w) <= 48*60*minute:
		return 60 * minute
	}
	return 24 * 60 * minute
}

// inWindow reports whether an event at instant e counts for a window read at t: whole tiles, from the
// one that contains t − W to the one that contains t.
func inWindow(w feature.Window, e, t int64) bool {
	if w == feature.Lifetime {
		return true
	}
	tile := width(w)
	start := tileStart(e, tile)
	return start >= tileStart(t-int64(w), tile) && start <= tileStart(t, tile)
}
