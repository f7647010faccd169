package materialize

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/model"
)

// historyBuilder makes the entries of training rows that events touch; the others stay in the previous generation's
// table until the tables are merged. The weights of a user and an item are added up in log order and
// rounded to float32 each time, so that a row which is continued is the row that is made at once.
type historyBuilder struct {
	engine *engine
	keys   []uint64 // rank of the item, position among the rows
	out    []model.HistoryEntry
}

// build returns the entries that were touched before, continued by rows of the columns. What neither has begins as it
// is in old, an encoded row of the previous generation. Items are named by their rank among all texts of the
// dictionary, in old by their number there. The result is valid until the next build.
func (h *historyBuilder) build(before []model.HistoryEntry, old []byte, c *spill.Columns, rows []int32) ([]model.HistoryEntry, error) {
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
			first, err := h.begin(old, item)
			if err != nil {
				return nil, err
			}
			h.out = append(h.out, first)
		}
		x := &h.out[len(h.out)-1]
		w := h.engine.weight(c.Ints[colKind][r], c.Floats[colValue][r])
		x.Weight = float32(float64(x.Weight) + w)
		x.Last = max(x.Last, c.Ints[colTime][r])
	}
	h.out = append(h.out, before...)
	return h.out, nil
}

// begin returns the entry of an item in old, or an empty one.
func (h *historyBuilder) begin(old []byte, rank uint32) (model.HistoryEntry, error) {
	at, err := findEntry(old, h.engine.previousRank, 0, rank)
	if err != nil || at == len(old) || h.engine.previousRank[entryItem(old[at:])] != rank {
		return model.HistoryEntry{Item: rank, Last: math.MinInt64}, err
	}
	e, err := model.DecodeHistory(old[at : at+entryBytes])
	if err != nil {
		return model.HistoryEntry{}, err
	}
	e[0].Item = rank
	return e[0], nil
}

// entryBytes is the length of an entry of a training row, which begins with its item: see model.AppendHistory.
const entryBytes = 16

func entryItem(entry []byte) uint32 { return binary.LittleEndian.Uint32(entry) }

// findEntry returns where the first entry of an encoded training row begins whose item is not below the given one. No entry
// is below least. Number says what the row's item numbers stand for, and rises with them.
func findEntry(history []byte, number []uint32, least, item uint32) (at int, err error) {
	if err := checkLength(history); err != nil { // and what is looked at: the end of a long row is far from it in memory
		return 0, err
	}
	n := searchNear(len(history)/entryBytes, guessEntry(len(history)/entryBytes, number, least, item), func(i int) bool {
		stored := entryItem(history[i*entryBytes:])
		if int(stored) >= len(number) {
			err = errUnknownItem(stored, number)
			return true
		}
		return number[stored] >= item
	})
	return n * entryBytes, err
}

// guessEntry returns about where an item is among n entries, if items are spread evenly. Rows of a year are long and have not
// been looked at for a day: halving them, each step of which waits for memory, took a tenth of a night's work.
func guessEntry(n int, number []uint32, least, item uint32) int {
	switch {
	case len(number) == 0 || number[len(number)-1] < item:
		return n
	case item <= least:
		return 0
	}
	return int(uint64(n) * uint64(item-least) / (uint64(number[len(number)-1]-least) + 1))
}

// searchNear is sort.Search, from a guess on in steps that double.
func searchNear(n, guess int, reached func(int) bool) int {
	low, high, step := 0, n, 4
	if guess < n && !reached(guess) {
		for low = guess + 1; low+step < n; step *= 2 {
			if reached(low + step) {
				high = low + step
				break
			}
			low += step + 1
		}
	} else {
		for high = guess; high-step >= 0; step *= 2 {
			if !reached(high - step) {
				low = high - step + 1
				break
			}
			high -= step
		}
	}
	return low + sort.Search(high-low, func(i int) bool { return reached(low + i) })
}

func checkLength(history []byte) error {
	if len(history)%entryBytes != 0 {
		return fmt.Errorf("a training row of %d bytes: a multiple of %d is expected", len(history), entryBytes)
	}
	return nil
}

func errUnknownItem(item uint32, number []uint32) error {
	return fmt.Errorf("a training row names item %d of %d", item, len(number))
}

// renumber replaces, in place, the items of an encoded training row.
func renumber(history []byte, number []uint32) error {
	if err := checkLength(history); err != nil {
		return err
	}
	for ; len(history) > 0; history = history[entryBytes:] {
		item := entryItem(history)
		if int(item) >= len(number) {
			return errUnknownItem(item, number)
		}
		binary.LittleEndian.PutUint32(history, number[item])
	}
	return nil
}

// appendMerged appends a training row of the previous generation, whose items number renames, with the entries that
// were touched since, encoded, in place of theirs. Those items are named as in the result already.
func appendMerged(dst, old []byte, number []uint32, touched []byte) ([]byte, error) {
	least := uint32(0)
	for ; len(touched) > 0; touched = touched[entryBytes:] {
		item := entryItem(touched)
		at, err := findEntry(old, number, least, item)
		if err != nil {
			return nil, err
		}
		if dst, err = appendRenumbered(dst, old[:at], number); err != nil {
			return nil, err
		}
		if old = old[at:]; len(old) > 0 && number[entryItem(old)] == item {
			old = old[entryBytes:]
		}
		dst, least = append(dst, touched[:entryBytes]...), item
	}
	return appendRenumbered(dst, old, number)
}

func appendRenumbered(dst, history []byte, number []uint32) ([]byte, error) {
	at := len(dst)
	dst = append(dst, history...)
	return dst, renumber(dst[at:], number)
}
