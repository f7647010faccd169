package agg

// count counts events. Its partial is an int64.
type count struct{}

func (count) Zero() Partial                       { return int64(0) }
func (count) Update(p Partial, _ Input) Partial   { return p.(int64) + 1 }
func (count) Merge(a, b Partial) Partial          { return a.(int64) + b.(int64) }
func (count) Append(dst []byte, p Partial) []byte { return appendInt(dst, p.(int64)) }

func (count) Finalize(tiles []TilePartial, _ int64) Value {
	var n int64
	for _, t := range tiles {
		n += t.Partial.(int64)
	}
	return n
}

func (count) Decode(b []byte) (Partial, []byte, error) {
	n, rest, err := readInt(b)
	return n, rest, err
}
