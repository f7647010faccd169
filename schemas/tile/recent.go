package tile

import (
	"encoding/binary"
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/cespare/xxhash/v2"
)

// RecentCap is how many preceding valid records of a user the duplicate rule looks back on.
const RecentCap = 128

// Recent implements the duplicate rule of DESIGN §3: a valid record is a duplicate if its event id
// occurs among the user's preceding 128 valid records (duplicates among them) of the same or the
// preceding epoch. Ids are kept as 64-bit hashes (HashID). Epochs never fall from record to record of a
// user, so the ids that no longer count are the oldest, and all that are kept count.
type Recent struct {
	ring  []uint64 // oldest first from head
	head  int
	epoch int64 // of the latest record
	old   int   // how many of the oldest are of the epoch before
}

// HashID returns the hash by which event ids are compared.
func HashID(eventID string) uint64 { return xxhash.Sum64String(eventID) }

// Seen records a valid record's event id and reports whether it is a duplicate.
func (r *Recent) Seen(id uint64, epoch int64) bool {
	if epoch != r.epoch {
		r.Enter(epoch)
	}
	duplicate := false
	for _, h := range r.ring {
		if h == id {
			duplicate = true
			break
		}
	}
	if len(r.ring) < RecentCap {
		r.ring = append(r.ring, id)
		return duplicate
	}
	r.ring[r.head] = id
	r.head = (r.head + 1) % RecentCap
	r.old = max(0, r.old-1)
	return duplicate
}

// Enter drops the ids that do not count for records of the given epoch or later.
func (r *Recent) Enter(epoch int64) {
	switch {
	case epoch == r.epoch:
		return
	case epoch != r.epoch+1:
		*r = Recent{ring: r.ring[:0], epoch: epoch}
		return
	}
	kept := make([]uint64, 0, len(r.ring)-r.old)
	for i := r.old; i < len(r.ring); i++ {
		kept = append(kept, r.ring[(r.head+i)%len(r.ring)])
	}
	*r = Recent{ring: kept, epoch: epoch, old: len(kept)}
}

// Len returns the number of ids kept.
func (r *Recent) Len() int { return len(r.ring) }

// Append adds the encoding to dst: the number of ids and, where there are any, the epoch, how many are
// of the epoch before, and the hashes, oldest first.
func (r *Recent) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r.ring)))
	if len(r.ring) == 0 {
		return dst
	}
	dst = binary.AppendVarint(dst, r.epoch)
	dst = binary.AppendUvarint(dst, uint64(r.old))
	for _, part := range [...][]uint64{r.ring[r.head:], r.ring[:r.head]} {
		for _, id := range part {
			dst = binary.LittleEndian.AppendUint64(dst, id)
		}
	}
	return dst
}

// Read reads what Append wrote.
func (r *Recent) Read(d *agg.Decoder) {
	*r = Recent{ring: r.ring[:0]}
	n := r.readHead(d)
	if b := d.Bytes(8 * n); b != nil {
		for ; len(b) > 0; b = b[8:] {
			r.ring = append(r.ring, binary.LittleEndian.Uint64(b))
		}
	}
}

// readHead reads up to the hashes, of which there are n.
func (r *Recent) readHead(d *agg.Decoder) (n int) {
	if n = int(min(d.Uint(), RecentCap+1)); n == 0 {
		return 0
	}
	r.epoch = d.Int()
	r.old = int(min(d.Uint(), RecentCap+1))
	if n > RecentCap || r.old > n {
		d.Fail(fmt.Errorf("recent ids: %d, of which %d are of the epoch before; at most %d are possible", n, r.old, RecentCap))
		return 0
	}
	return n
}
