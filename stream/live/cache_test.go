package live

import (
	"testing"

	"github.com/anabranch/anabranch/schemas/tile"
)

func TestCacheForgetsTheLeastRecent(t *testing.T) {
	c := newCache(2)
	a, b, d := &tile.State{Next: 1}, &tile.State{Next: 2}, &tile.State{Next: 3}
	c.put("a", a)
	c.put("b", b)
	c.put("d", d)
	if c.get("a") != a {
		t.Error("a state was forgotten before shrink")
	}
	c.shrink()
	if c.get("b") != nil || c.get("a") != a || c.get("d") != d {
		t.Error("shrink did not forget the least recently used state, or more than it")
	}
	c.put("a", b)
	if c.get("a") != b || c.order.Len() != 2 {
		t.Error("put did not replace a state")
	}
	c.clear()
	c.shrink()
	if c.get("a") != nil || c.order.Len() != 0 {
		t.Error("clear left something")
	}
}
