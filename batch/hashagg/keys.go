package hashagg

import (
	"github.com/anabranch/anabranch/infra/rawparquet/column"
)

// setKey stores key i of row j of the vector.
func (t *Table) setKey(i, j int, key uint64) { t.keys[j*len(t.spec.Keys)+i] = key }

// intKey reads a key of integers.
func (t *Table) intKey(i int, values []int64) {
	for j, r := range t.sel {
		t.setKey(i, j, uint64(values[r]))
	}
}

// textKey reads a key of texts.
func (t *Table) textKey(i int, c *column.Text) error {
	if c.IDs != nil {
		return t.dictionaryKey(i, c)
	}
	in := t.texts[i]
	in.reserve(len(t.sel))
	hashes := t.hashes[:len(t.sel)]
	for j, r := range t.sel {
		t.prints[j] = printOf(c.Values.At(int(r)))
		hashes[j] = t.prints[j].hash()
	}
	t.sink ^= in.touch(hashes)
	for j, r := range t.sel {
		if c.Valid != nil && !c.Valid[r] {
			t.setKey(i, j, 0)
			continue
		}
		number, err := in.number(&c.Values, int(r), t.prints[j], hashes[j])
		if err != nil {
			return err
		}
		t.setKey(i, j, uint64(number))
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
			t.setKey(i, j, 0)
			continue
		}
		if known[id] == 0 {
			p := printOf(c.Values.At(int(id)))
			number, err := in.number(&c.Values, int(id), p, p.hash())
			if err != nil {
				return err
			}
			known[id] = number
		}
		t.setKey(i, j, uint64(known[id]))
	}
	return nil
}
