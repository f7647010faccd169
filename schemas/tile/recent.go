package tile

import "github.com/cespare/xxhash/v2"

// RecentCap is how many preceding valid records of a user the duplicate rule looks back on.
const RecentCap = 128

// Recent implements the duplicate rule of DESIGN §3: a valid record is a duplicate if its event id
// occurs among the user's preceding 128 valid records (duplicates among them) of the same or the
// preceding epoch. Ids are kept as 64-bit hashes.
type Recent struct {
	ring []recentID // oldest first from head
	head int
}

type recentID struct {
	hash  uint64
	epoch int64
}

// Seen records a valid record's event id and reports whether it is a duplicate.
func (r *Recent) Seen(eventID string, epoch int64) bool {
	x := recentID{xxhash.Sum64String(eventID), epoch}
	duplicate := false
	for _, o := range r.ring {
		if o.hash == x.hash && o.epoch >= epoch-1 {
			duplicate = true
			break
		}
	}
	if len(r.ring) < RecentCap {
		r.ring = append(r.ring, x)
		return duplicate
	}
	r.ring[r.head] = x
	r.head = (r.head + 1) % RecentCap
	return duplicate
}

// inOrder returns the kept ids, oldest first.
func (r *Recent) inOrder() []recentID {
	return append(append([]recentID(nil), r.ring[r.head:]...), r.ring[:r.head]...)
}

// ForgetBelow drops ids of epochs that the rule can no longer look at, given the current epoch. Epochs
// never fall from record to record of a user, so these are the oldest ids, and without them the kept
// ones are still among the preceding 128.
func (r *Recent) ForgetBelow(epoch int64) {
	if len(r.ring) == 0 || r.ring[r.head].epoch >= epoch-1 {
		return
	}
	kept := r.inOrder()
	i := 0
	for i < len(kept) && kept[i].epoch < epoch-1 {
		i++
	}
	r.ring, r.head = kept[i:], 0
}
