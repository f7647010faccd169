package materialize

import (
	"bytes"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize/spill"
)

// chunk is some rows of a partition in log order, grouped by the entity that they belong to.
type chunk struct {
	engine *engine
	side   int
	rows   *spill.Columns
	buf    []byte

	table   hashTable
	entity  []uint32 // by row
	first   []int32  // by entity: its first row
	starts  []int32  // by entity, where its rows start in order
	order   []int32  // rows by entity
	members []int32  // entities in the order of their ids
}

func newChunk(e *engine, side int) *chunk {
	return &chunk{engine: e, side: side, rows: spill.NewColumns(intColumns, e.layout.floats, e.layout.texts)}
}

// each hands the rows of a partition to f, in chunks of bounded size. Last tells that no other follows; a partition
// without rows is one empty chunk.
func (c *chunk) each(part int, f func(last bool) error) error {
	e := c.engine
	s := &e.sides[c.side]
	blocks := s.parts[part]
	c.rows.Reset()
	total := 0
	for i := range blocks {
		total += blocks[i].rows
	}
	c.rows.Grow(s.pick, min(total, e.sizes.chunk))
	for i := range blocks {
		if c.rows.Rows > 0 && c.rows.Rows+blocks[i].rows > e.sizes.chunk {
			if err := f(false); err != nil {
				return err
			}
			c.rows.Reset()
		}
		b, err := e.scratch.Get(blocks[i].piece, c.buf)
		if err != nil {
			return err
		}
		if err := c.rows.ReadBlock(b, s.pick); err != nil {
			return err
		}
		if cap(b) > cap(c.buf) && !blocks[i].piece.InMemory() {
			c.buf = b
		}
		e.scratch.Drop(&blocks[i].piece)
	}
	return f(true)
}

// of returns the rows of an entity in log order.
func (c *chunk) of(entity int32) []int32 { return c.order[c.starts[entity]:c.starts[entity+1]] }

// groupByUser groups the rows by user id.
func (c *chunk) groupByUser() {
	ids := &c.rows.Texts[colUserID]
	c.begin()
	for i := range c.rows.Rows {
		id := ids.At(i)
		c.take(i, hashText(id), func(n uint32) bool { return bytes.Equal(ids.At(int(c.first[n])), id) })
	}
	c.sort()
	slices.SortFunc(c.members, func(a, b int32) int {
		return bytes.Compare(ids.At(int(c.first[a])), ids.At(int(c.first[b])))
	})
}

// groupByItem groups the rows that count by item.
func (c *chunk) groupByItem() {
	items, rank := c.rows.Ints[colItem], c.engine.rank
	c.begin()
	for i := range c.rows.Rows {
		if c.engine.duplicate.has(c.rows.Ints[colRow][i]) {
			c.entity = append(c.entity, nobody)
			continue
		}
		item := items[i]
		c.take(i, uint64(item)*0x9e3779b97f4a7c15>>20, func(n uint32) bool { return items[c.first[n]] == item })
	}
	c.sort()
	slices.SortFunc(c.members, func(a, b int32) int {
		return int(rank[items[c.first[a]]]) - int(rank[items[c.first[b]]])
	})
}

// nobody marks a row that is in no group.
const nobody = ^uint32(0)

func (c *chunk) begin() {
	c.table.clear()
	c.entity, c.first = c.entity[:0], c.first[:0]
}

// take puts row i into the group of its key.
func (c *chunk) take(i int, hash uint64, same func(uint32) bool) {
	n, found := c.table.find(hash, same)
	if !found {
		n = uint32(len(c.first))
		c.table.add(hash, n)
		c.first = append(c.first, int32(i))
	}
	c.entity = append(c.entity, n)
}

// sort orders the rows by group and keeps their order within each (a counting sort).
func (c *chunk) sort() {
	n := len(c.first)
	c.starts = append(c.starts[:0], make([]int32, n+2)...)
	for _, g := range c.entity {
		if g != nobody {
			c.starts[g+2]++
		}
	}
	for g := range n {
		c.starts[g+2] += c.starts[g+1]
	}
	c.order = slices.Grow(c.order[:0], len(c.entity))[:c.starts[n+1]]
	for i, g := range c.entity {
		if g != nobody {
			c.order[c.starts[g+1]] = int32(i)
			c.starts[g+1]++
		}
	}
	c.members = c.members[:0]
	for g := range n {
		c.members = append(c.members, int32(g))
	}
}
