package agg

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// topK counts keys and answers with the k most frequent. At most limit keys are held a tile; when a
// further one comes it takes the place of the least frequent one and its count (SpaceSaving), and the
// answer says that it is not exact. What is merged may hide a key that it does not hold but has met: such a key
// counts as its least frequent one there (Cafaro et al. 2016, "A parallel space saving algorithm"), so
// that counts are never too low.
type topK struct {
	outcome
	k, limit int
}

// counts is the set of top_k: counts by key, sorted by key.
type counts struct {
	keys    []Counted
	capped  bool
	floor   int64 // Fold: the most that a key which is not held may have
	low     int64 // Update: no key has fewer; 0 while nobody has looked
	scratch []Counted
	read    []Counted
	top     Top
}

func (c *counts) reset() { c.keys, c.capped, c.floor, c.low = c.keys[:0], false, 0, 0 }

// least returns the most that a key which a tile's keys lack may have.
func least(keys []Counted, capped bool) int64 {
	if !capped || len(keys) == 0 {
		return 0
	}
	n := keys[0].Count
	for _, c := range keys {
		n = min(n, c.Count)
	}
	return n
}

func (t topK) Key() string { return fmt.Sprintf("top_k:%d:%s", t.limit, t.outcome.key()) }

// keyOf returns an operand as a text. Equal operands have equal texts.
func keyOf(o Operand) string {
	switch o.Kind {
	case Int:
		return strconv.FormatInt(o.Int, 10)
	case Float:
		return strconv.FormatFloat(o.Float, 'g', -1, 64)
	}
	return o.Text
}

func (t topK) Update(p *Partial, in *Input) {
	c := grow[counts](p)
	key := keyOf(in.Of)
	i, found := slices.BinarySearchFunc(c.keys, key, func(c Counted, key string) int { return strings.Compare(c.Key, key) })
	if found {
		c.keys[i].Count++
		return
	}
	if len(c.keys) >= t.limit {
		c.capped = true
		c.replace(c.least(), i, key)
		return
	}
	c.keys, c.low = slices.Insert(c.keys, i, Counted{Key: key, Count: 1}), 0
}

// least returns where the least frequent key is, the last one of several: what byCount puts last. Counts of a tile only
// grow, so that one which is as low as the lowest has been is the lowest, and mostly there is one near the end.
func (c *counts) least() int {
	least := len(c.keys) - 1
	for j := least; j >= 0 && c.keys[least].Count > c.low; j-- {
		if c.keys[j].Count < c.keys[least].Count {
			least = j
		}
	}
	c.low = c.keys[least].Count
	return least
}

// replace puts a key, which belongs before the i-th, in the place of the one at least, and counts from there on.
func (c *counts) replace(least, i int, key string) {
	n := c.keys[least].Count + 1
	if least < i {
		i--
		copy(c.keys[least:i], c.keys[least+1:i+1])
	} else {
		copy(c.keys[i+1:least+1], c.keys[i:least])
	}
	c.keys[i] = Counted{Key: key, Count: n}
}

func (t topK) Merge(p, q *Partial) {
	if from, ok := q.Set.(*counts); ok {
		c := grow[counts](p)
		t.add(c, from.keys, least(c.keys, c.capped), least(from.keys, from.capped))
		c.capped = c.capped || from.capped
		t.cap(c)
	}
}

// add adds keys that are sorted. A key that one side lacks may have had up to mine or theirs there.
func (t topK) add(c *counts, y []Counted, mine, theirs int64) {
	x, out := c.keys, c.scratch[:0]
	for len(x) > 0 && len(y) > 0 {
		switch o := strings.Compare(x[0].Key, y[0].Key); {
		case o < 0:
			out, x = append(out, Counted{x[0].Key, x[0].Count + theirs}), x[1:]
		case o > 0:
			out, y = append(out, Counted{y[0].Key, y[0].Count + mine}), y[1:]
		default:
			out = append(out, Counted{x[0].Key, x[0].Count + y[0].Count})
			x, y = x[1:], y[1:]
		}
	}
	for _, k := range x {
		out = append(out, Counted{k.Key, k.Count + theirs})
	}
	for _, k := range y {
		out = append(out, Counted{k.Key, k.Count + mine})
	}
	c.keys, c.scratch, c.low = out, c.keys, 0
}

// cap drops the least frequent keys beyond the limit.
func (t topK) cap(c *counts) {
	if len(c.keys) <= t.limit {
		return
	}
	c.capped = true
	slices.SortFunc(c.keys, byCount)
	c.keys = c.keys[:t.limit]
	slices.SortFunc(c.keys, func(a, b Counted) int { return strings.Compare(a.Key, b.Key) })
}

// byCount orders by count, descending, then by key.
func byCount(a, b Counted) int {
	if c := cmp.Compare(b.Count, a.Count); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

// Append writes the number of keys, doubled, plus 1 where the cap was met, then keys and counts.
func (t topK) Append(e *Encoder, p *Partial) {
	c := grow[counts](p)
	e.Uint(pack(len(c.keys), c.capped))
	for _, x := range c.keys {
		e.Text(x.Key)
		e.Uint(uint64(x.Count))
	}
}

// Patch implements Patcher.
func (t topK) Patch(e *Encoder, d *Decoder, in *Input) bool {
	n, capped := t.length(d)
	key := keyOf(in.Of)
	number, b := e.texts.number(key), d.B
	for range n {
		name, after := Next(b)
		count, rest := Next(after)
		if rest == nil {
			break
		}
		if name == number {
			e.Uint(pack(n, capped))
			e.Buf = append(e.Buf, d.B[:len(d.B)-len(after)]...)
			e.Uint(count + 1)
			d.B = rest
			return true
		}
		b = rest
	}
	return n < t.limit && t.patchNew(e, d, n, capped, key, number)
}

// patchNew is Patch for a key that a tile lacks.
func (t topK) patchNew(e *Encoder, d *Decoder, n int, capped bool, key string, number uint64) bool {
	b := d.B
	for range n {
		name, after := Next(b)
		_, rest := Next(after)
		if rest == nil || name >= uint64(len(d.Texts)) {
			return false
		}
		if d.Texts[name] > key {
			break
		}
		b = rest
	}
	e.Uint(pack(n+1, capped))
	e.Buf = append(e.Buf, d.B[:len(d.B)-len(b)]...)
	e.Uint(number)
	e.Uint(1)
	d.B = b
	return true
}

// pack is what an encoding begins with.
func pack(keys int, capped bool) uint64 {
	if capped {
		return uint64(keys)<<1 | 1
	}
	return uint64(keys) << 1
}

// Fold adds up tiles: unlike Merge it drops no keys, since the answer is over all of them.
func (t topK) Fold(p *Partial, d *Decoder, _ float64) {
	n, capped := t.length(d)
	c := grow[counts](p)
	c.read = c.read[:0]
	for i := range n {
		c.read = append(c.read, Counted{Key: d.Text(), Count: int64(d.Uint())})
		if i > 0 && c.read[i-1].Key >= c.read[i].Key {
			d.Fail(fmt.Errorf("top_k: key %d of %d is out of order", i, n))
		}
	}
	if d.Err == nil {
		theirs := least(c.read, capped)
		t.add(c, c.read, c.floor, theirs)
		c.capped, c.floor = c.capped || capped, c.floor+theirs
	}
}

// join is Merge of what tiles were folded into.
func (t topK) join(p, q *Partial) {
	if from, ok := q.Set.(*counts); ok {
		c := grow[counts](p)
		t.add(c, from.keys, c.floor, from.floor)
		c.capped, c.floor = c.capped || from.capped, c.floor+from.floor
	}
}

func (t topK) length(d *Decoder) (n int, capped bool) {
	x := d.Uint()
	if x>>1 > uint64(t.limit) || x>>1 > uint64(len(d.B)) {
		d.Fail(fmt.Errorf("top_k: %d keys, at most %d are possible", x>>1, t.limit))
		return 0, false
	}
	return int(x >> 1), x&1 != 0
}

func (t topK) Skip(d *Decoder) {
	n, _ := t.length(d)
	for range n {
		d.Uint()
		d.Uint()
	}
}

func (t topK) Finalize(p *Partial) Value {
	c := grow[counts](p)
	c.scratch = t.first(c.scratch[:0], c.keys)
	c.top = Top{Keys: c.scratch, Exact: !c.capped}
	return TopValue(&c.top)
}

// first adds the k most frequent keys to an empty list, in order. A short list is kept in order by
// insertion; most keys are compared with its last one only.
func (t topK) first(list, keys []Counted) []Counted {
	if t.k > 64 {
		list = append(list, keys...)
		slices.SortFunc(list, byCount)
		return list[:min(t.k, len(list))]
	}
	for _, x := range keys {
		if len(list) == t.k {
			if byCount(list[t.k-1], x) < 0 {
				continue
			}
			list = list[:t.k-1]
		}
		i := len(list)
		for list = append(list, x); i > 0 && byCount(x, list[i-1]) < 0; i-- {
			list[i] = list[i-1]
		}
		list[i] = x
	}
	return list
}

// numberBytes returns an operand for hashing.
func numberBytes(o Operand, bits uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{byte(o.Kind)}, bits)
}
