package hashagg

// dense finds rows without hashing: a text is a small number already, so where the key is a text, or a text and
// an integer of few values (a day, a tile), an array by integer and text leads to the row. Early texts
// are the frequent ones, so that the part of an array that is in use is small: 8 times the speed of the hash table.
type dense struct {
	pair  bool       // whether there is an integer
	first int64      // the integer of cells[0]
	cells [][]uint32 // by integer, then by text number: row number + 1, or 0
	size  int        // of all cells together
}

const (
	maxDenseSpan  = 1 << 16 // integers from the least to the greatest
	denseFree     = 1 << 20 // cells that a table may have whatever it holds
	denseCells    = 6       // cells for each group beyond those: a hash table takes as much memory
	denseMinArray = 1 << 10
)

// newDense returns nil where the keys do not allow it.
func newDense(s Spec) *dense {
	switch k := s.Keys; {
	case len(k) == 1 && k[0] == Text:
		return &dense{cells: make([][]uint32, 1)}
	case len(k) == 2 && k[0] == Text && k[1] == Int:
		return &dense{pair: true}
	}
	return nil
}

// at returns the cell of a key: the array's number, and where in it.
func (d *dense) at(key []uint64) (array int64, cell uint64) {
	if d.pair {
		return int64(key[1]) - d.first, key[0]
	}
	return 0, key[0]
}

// find sets refs to the rows of the vector's n keys. It stops where the next key's integer is too far from the others,
// or too many cells are empty, and returns how many it found.
func (d *dense) find(t *Table, n int) int {
	k := len(t.spec.Keys)
	keys := t.keys[:n*k]
	refs := t.refs[:n]
	for j := range refs {
		key := keys[:k:k]
		keys = keys[k:]
		array, cell := d.at(key)
		if uint64(array) < uint64(len(d.cells)) {
			if c := d.cells[array]; cell < uint64(len(c)) {
				if ref := c[cell]; ref > 0 {
					refs[j] = ref - 1
					continue
				}
			}
		}
		ref, ok := d.insert(t, key)
		if !ok {
			return j
		}
		refs[j] = ref
	}
	return n
}

// insert makes a row and reports false where a cell for it is not worth its memory.
func (d *dense) insert(t *Table, key []uint64) (uint32, bool) {
	if !d.reserve(key, t.groups) {
		return 0, false
	}
	ref := t.insert(key)
	array, cell := d.at(key)
	d.cells[array][cell] = ref + 1
	return ref, true
}

// reserve makes the cell of a new key and reports false where that is not worth its memory.
func (d *dense) reserve(key []uint64, groups int) bool {
	if d.pair && !d.span(int64(key[1])) {
		return false
	}
	array, cell := d.at(key)
	if c := d.cells[array]; cell >= uint64(len(c)) {
		grown := make([]uint32, max(denseMinArray, cell+1+cell/4))
		d.size += len(grown) - len(c)
		copy(grown, c)
		d.cells[array] = grown
	}
	return d.size <= denseFree+denseCells*groups
}

// span makes an array's place for an integer.
func (d *dense) span(v int64) bool {
	switch {
	case len(d.cells) == 0:
		d.first = v
	case v < d.first:
		if uint64(d.first)-uint64(v) > maxDenseSpan-uint64(len(d.cells)) {
			return false
		}
		d.cells = append(make([][]uint32, d.first-v), d.cells...)
		d.first = v
		return true
	}
	if uint64(v)-uint64(d.first) >= maxDenseSpan {
		return false
	}
	for int64(len(d.cells)) <= v-d.first {
		d.cells = append(d.cells, nil)
	}
	return true
}

func (d *dense) bytes() int64 { return int64(d.size)*4 + int64(cap(d.cells))*24 }
