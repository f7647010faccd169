package materialize

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/model"
)

// historyBuilder makes training rows. The weights of a user and an item are added up in log order and
// rounded to float32 each time, so that a row which is continued is the row that is made at once.
type historyBuilder struct {
	engine *engine
	keys   []uint64 // rank of the item, position among the rows
	out    []model.HistoryEntry
}

// build returns the row of a user: before, continued by rows of the columns. Items are named by their
// rank among all texts of the dictionary. The result is valid until the next build.
func (h *historyBuilder) build(before []model.HistoryEntry, c *spill.Columns, rows []int32) []model.HistoryEntry {
	items, rank := c.Ints[colItem], h.engine.rank
	h.keys = h.keys[:0]
	for at, r := range rows {
		h.keys = append(h.keys, uint64(rank[items[r]])<<32|uint64(at))
	}
	slices.Sort(h.keys)
	h.out = h.out[:0]
	for _, key := range h.keys {
		item, r := uint32(key>>32), rows[uint32(key)]
		for len(before) > 0 && before[0].Item < item {
			h.out, before = append(h.out, before[0]), before[1:]
		}
		n := len(h.out)
		switch {
		case len(before) > 0 && before[0].Item == item:
			h.out, before = append(h.out, before[0]), before[1:]
		case n == 0 || h.out[n-1].Item != item:
			h.out = append(h.out, model.HistoryEntry{Item: item, Last: math.MinInt64})
		}
		x := &h.out[len(h.out)-1]
		w := h.engine.weight(c.Ints[colKind][r], c.Floats[colValue][r])
		x.Weight = float32(float64(x.Weight) + w)
		x.Last = max(x.Last, c.Ints[colTime][r])
	}
	h.out = append(h.out, before...)
	return h.out
}

// renumber replaces, in place, the items of an encoded training row.
func renumber(history []byte, number []uint32) error {
	const entry = 16 // bytes, see model.AppendHistory
	if len(history)%entry != 0 {
		return fmt.Errorf("a training row of %d bytes: a multiple of %d is expected", len(history), entry)
	}
	for ; len(history) > 0; history = history[entry:] {
		item := binary.LittleEndian.Uint32(history)
		if int(item) >= len(number) {
			return fmt.Errorf("a training row names item %d of %d", item, len(number))
		}
		binary.LittleEndian.PutUint32(history, number[item])
	}
	return nil
}
