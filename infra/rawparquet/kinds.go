package rawparquet

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// builder is what a Writer needs of a column beside adding to it.
type builder interface {
	base() *sheet
	end()                 // ends the open page, which has rows
	dictionary() []string // hands out the texts that the finished pages name by number; nil in a column without
}

// ints is a column of integers, PLAIN in 32 or 64 bits.
type ints struct {
	sheet
	narrow    bool
	low, high int64 // of the open page; low > high where it has no value
}

func newInts(w *work, narrow, optional bool) ints {
	return ints{sheet: sheet{work: w, optional: optional, stats: true}, narrow: narrow, low: math.MaxInt64, high: math.MinInt64}
}

func (c *ints) add(v int64) {
	c.low, c.high = min(c.low, v), max(c.high, v)
	if c.narrow {
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(v))
	} else {
		c.values = binary.LittleEndian.AppendUint64(c.values, uint64(v))
	}
	c.levels.add(present)
	if len(c.values) >= pageBytes {
		c.end()
	}
}

func (c *ints) addOptional(p *int64) {
	if p == nil {
		c.levels.add(null)
		return
	}
	c.add(*p)
}

func (c *ints) end() {
	var low, high any
	switch {
	case c.low > c.high:
	case c.narrow:
		low, high = int32(c.low), int32(c.high)
	default:
		low, high = c.low, c.high
	}
	c.finish(low, high)
	c.low, c.high = math.MaxInt64, math.MinInt64
}

func (c *ints) dictionary() []string { return nil }

// floats is a column of numbers, PLAIN, any of which may be null.
type floats struct {
	sheet
	low, high float64 // of the open page; low > high where it has no value
}

func newFloats(w *work) floats {
	return floats{sheet: sheet{work: w, optional: true, stats: true}, low: math.Inf(1), high: math.Inf(-1)}
}

func (c *floats) add(p *float64) {
	if p == nil {
		c.levels.add(null)
		return
	}
	v := *p
	if v < c.low { // unlike min, this passes NaN over, which statistics must not name
		c.low = v
	}
	if v > c.high {
		c.high = v
	}
	c.values = binary.LittleEndian.AppendUint64(c.values, math.Float64bits(v))
	c.levels.add(present)
	if len(c.values) >= pageBytes {
		c.end()
	}
}

func (c *floats) end() {
	var low, high any
	if c.low <= c.high {
		low, high = c.low, c.high
	}
	c.finish(low, high)
	c.low, c.high = math.Inf(1), math.Inf(-1)
}

func (c *floats) dictionary() []string { return nil }

// texts is a column of texts, PLAIN, any of which may be null.
type texts struct {
	sheet
	low, high string // of the open page; may be a part of a row's memory
}

// newTexts makes a column. Without stats its least and greatest text are not noted.
func newTexts(w *work, stats bool) texts {
	return texts{sheet: sheet{work: w, optional: true, stats: stats}}
}

func (c *texts) add(p *string) {
	if p == nil {
		c.levels.add(null)
		return
	}
	s := *p
	if c.stats {
		switch {
		case len(c.values) == 0:
			c.low, c.high = s, s
		case s < c.low:
			c.low = s
		case s > c.high:
			c.high = s
		}
	}
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(s)))
	c.values = append(c.values, s...)
	c.levels.add(present)
	if len(c.values) >= pageBytes {
		c.end()
	}
}

func (c *texts) end() {
	var low, high any
	if c.stats && len(c.values) > 0 {
		low, high = strings.Clone(c.low), strings.Clone(c.high)
	}
	c.finish(low, high)
	c.low, c.high = "", ""
}

func (c *texts) dictionary() []string { return nil }

// words is a column of texts that repeat. A row group has each of them once, and their numbers on one page: the numbers
// of all rows are kept until then, so that they take only as many bits as the dictionary needs.
type words struct {
	sheet
	known map[string]uint32
	list  []string
	ids   []uint32 // of the rows that have a text

	last   string // the text before and its number: often the next one, too
	lastID uint32
}

func newWords(w *work, optional bool) words {
	return words{sheet: sheet{work: w, optional: optional}, known: map[string]uint32{}}
}

func (c *words) add(s string) {
	if len(c.ids) == 0 || s != c.last {
		c.lastID = c.number(s)
		c.last = c.list[c.lastID]
	}
	c.ids = append(c.ids, c.lastID)
	c.levels.add(present)
}

func (c *words) addOptional(p *string) {
	if p == nil {
		c.levels.add(null)
		return
	}
	c.add(*p)
}

func (c *words) number(s string) uint32 {
	id, ok := c.known[s]
	if !ok {
		s = strings.Clone(s) // s may be a part of a whole record
		id = uint32(len(c.list))
		c.known[s] = id
		c.list = append(c.list, s)
	}
	return id
}

func (c *words) end() {
	width := bits.Len(uint(max(1, len(c.list)-1)))
	c.values = packIDs(c.values, c.ids, uint(width))
	c.finish(nil, nil)
	c.ids = c.ids[:0]
}

func (c *words) dictionary() []string {
	list := c.list
	c.list, c.known = nil, map[string]uint32{}
	return list
}
