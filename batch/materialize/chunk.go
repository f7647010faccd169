package materialize

import (
	"bytes"
	"slices"

	"github.com/anabranch/anabranch/batch/materialize/spill"
)

// chunk is some rows of a partition, which are brought into the order of the entities that they belong to
// and, within each, of the log. So what an entity's rows hold lies together in memory.
type chunk struct {
	engine *engine
	side   int
	rows   *spill.Columns
	spare  *spill.Columns // memory to sort into
	buf    []byte

	table   hashTable
	entity  []uint32 // by row, before they are sorted
	first   []int32  // by entity: its first row
	ends    []int32  // by entity: where its rows end
	order   []int32
	members []int32 // entities in the order of their ids
}

func newChunk(e *engine, side int) *chunk {
	columns := func() *spill.Columns { return spill.NewColumns(intColumns, e.layout.floats, e.layout.texts) }
	return &chunk{engine: e, side: side, rows: columns(), spare: columns()}
}

// each hands the rows of a partition to f, in chunks of bounded size. Last tells that no other follows; a partition
// without rows is one empty chunk.
func (c *chunk) each(part int, f func(last bool) error) error {
	e := c.engine
	s := &e.sides[c.side]
	blocks := s.of(part)
	c.rows.Reset()
	total := 0
	for i := range blocks {
		total += int(blocks[i].rows)
	}
	c.rows.Grow(s.pick, min(total, e.sizes.chunk))
	for i := range blocks {
		if c.rows.Rows > 0 && c.rows.Rows+int(blocks[i].rows) > e.sizes.chunk {
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
		e.scratch.Drop(blocks[i].piece)
	}
	return f(true)
}

// of returns the rows of an entity in log order.
func (c *chunk) of(entity int32) []int32 { return c.order[c.first[entity]:c.ends[entity]] }

// groupByUser groups the rows by user id.
func (c *chunk) groupByUser() {
	ids := &c.rows.Texts[colUserID]
	c.begin()
	for i := range c.rows.Rows {
		id := ids.At(i)
		c.take(i, hashText(id), func(n uint32) bool { return bytes.Equal(ids.At(int(c.first[n])), id) })
	}
	c.sort(func(a, b int32) int { return bytes.Compare(ids.At(int(c.first[a])), ids.At(int(c.first[b]))) })
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
	c.sort(func(a, b int32) int { return int(rank[items[c.first[a]]]) - int(rank[items[c.first[b]]]) })
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

// sort brings the rows into the order of the groups, which compare gives, and keeps their order within each. Rows in
// no group are dropped. It counts, so it takes a few passes over the rows.
func (c *chunk) sort(compare func(a, b int32) int) {
	n := len(c.first)
	c.members = c.members[:0]
	for g := range n {
		c.members = append(c.members, int32(g))
	}
	slices.SortFunc(c.members, compare)
	c.ends = append(c.ends[:0], make([]int32, n)...)
	for _, g := range c.entity {
		if g != nobody {
			c.ends[g]++
		}
	}
	next := int32(0)
	for _, g := range c.members {
		c.first[g], next = next, next+c.ends[g]
		c.ends[g] = c.first[g]
	}
	c.order = slices.Grow(c.order[:0], int(next))[:next]
	for i, g := range c.entity {
		if g != nobody {
			c.order[c.ends[g]] = int32(i)
			c.ends[g]++
		}
	}
	c.spare.Reset()
	c.spare.AppendRows(c.rows, c.engine.sides[c.side].pick, c.order)
	c.rows, c.spare = c.spare, c.rows
	for i := range c.order {
		c.order[i] = int32(i)
	}
}
