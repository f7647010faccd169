package hashagg

import (
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// setKey stores key i of row j of the vector and adds it to the row's hash.
func (t *Table) setKey(i, j int, key, hash uint64) {
	t.keys[j*len(t.spec.Keys)+i] = key
	if i > 0 {
		hash = combine(t.hashes[j], hash)
	}
	t.hashes[j] = hash
}

// intKey reads a key of integers.
func (t *Table) intKey(i int, values []int64) {
	for j, r := range t.sel {
		v := uint64(values[r])
		t.setKey(i, j, v, mix(v^seed0, seed1))
	}
}

// textKey reads a key of texts.
func (t *Table) textKey(i int, c *column.Text) error {
	if c.IDs != nil {
		return t.dictionaryKey(i, c)
	}
	in := t.texts[i]
	in.reserve(len(t.sel))
	hashes := t.textHashes[:len(t.sel)]
	for j, r := range t.sel {
		t.prints[j] = printOf(c.Values.At(int(r)))
		hashes[j] = t.prints[j].hash()
	}
	t.sink ^= in.touch(hashes)
	for j, r := range t.sel {
		if c.Valid != nil && !c.Valid[r] {
			t.setKey(i, j, 0, nullHash)
			continue
		}
		number, err := in.number(c.Values.At(int(r)), t.prints[j], hashes[j])
		if err != nil {
			return err
		}
		t.setKey(i, j, uint64(number), hashes[j])
	}
	return nil
}

// dictionaryKey looks at each entry of the column's dictionary only once a batch.
func (t *Table) dictionaryKey(i int, c *column.Text) error {
	in, known := t.texts[i], t.dicts[i]
	in.reserve(len(t.sel))
	for j, r := range t.sel {
		id := c.IDs[r]
		if id < 0 {
			t.setKey(i, j, 0, nullHash)
			continue
		}
		if known[id] == 0 {
			text := c.Values.At(int(id))
			p := printOf(text)
			number, err := in.number(text, p, p.hash())
			if err != nil {
				return err
			}
			known[id] = number
		}
		t.setKey(i, j, uint64(known[id]), in.hashes[known[id]])
	}
	return nil
}
