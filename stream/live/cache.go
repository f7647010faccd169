package live

import (
	"container/list"

	"github.com/anabranch/anabranch/schemas/tile"
)

// cache keeps the decoded states of one partition, least recently used first out. What it holds is
// what Redis holds under the current fence; on any doubt it is dropped whole.
type cache struct {
	limit int
	order *list.List // of *cached, most recent first
	bykey map[string]*list.Element
}

type cached struct {
	suffix string
	state  *tile.State
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), bykey: map[string]*list.Element{}}
}

// get returns the state under a suffix, nil when it is not cached.
func (c *cache) get(suffix string) *tile.State {
	e, ok := c.bykey[suffix]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).state
}

func (c *cache) put(suffix string, s *tile.State) {
	if e, ok := c.bykey[suffix]; ok {
		e.Value.(*cached).state = s
		c.order.MoveToFront(e)
		return
	}
	c.bykey[suffix] = c.order.PushFront(&cached{suffix, s})
}

// shrink removes what is beyond the limit. Call it between commits, when every state is stored.
func (c *cache) shrink() {
	for c.order.Len() > c.limit {
		last := c.order.Back()
		delete(c.bykey, last.Value.(*cached).suffix)
		c.order.Remove(last)
	}
}

func (c *cache) clear() {
	c.order.Init()
	clear(c.bykey)
}
