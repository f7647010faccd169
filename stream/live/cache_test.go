package live

import (
	"bytes"
	"testing"
)

func TestCacheForgetsTheLeastRecent(t *testing.T) {
	one := make([]byte, 1000)
	c := newCache(2 * (entryBytes + len("a") + 1125))
	holds := func(suffix string) bool { _, ok := c.bykey[suffix]; return ok }
	c.put("a", one)
	c.put("b", one)
	c.put("d", one)
	if state, ok := c.get("a"); !ok || !bytes.Equal(state, one) {
		t.Error("a state was forgotten before shrink")
	}
	c.shrink()
	if holds("b") || !holds("a") || !holds("d") {
		t.Error("shrink did not forget the least recently used state, or more than it")
	}
	c.put("a", []byte("other"))
	if state, ok := c.get("a"); !ok || string(state) != "other" || len(c.bykey) != 2 {
		t.Error("put did not replace a state")
	}
	c.put("a", append(one, one...))
	c.shrink()
	if state, ok := c.get("a"); !ok || len(state) != 2000 || holds("d") {
		t.Error("a state that has grown is not accounted for")
	}
	c.put("none", nil)
	if state, ok := c.get("none"); !ok || len(state) != 0 {
		t.Error("that nobody has seen an entity is not kept")
	}
	c.clear()
	c.shrink()
	if holds("a") || c.used != 0 {
		t.Error("clear left something")
	}
}
