package agg

import (
	"fmt"
	"slices"
)

// Interaction is one entry of last_n: what a user did to an item.
type Interaction struct {
	Item  string   `json:"item_id"`
	Type  string   `json:"type"`
	Value *float64 `json:"value,omitempty"`
	Time  int64    `json:"time"` // event time, Unix ms
	Seq   int64    `json:"-"`
}

// lastN keeps the latest n interactions, latest first, by event time, then position. Its partial is
// a []Interaction in that order.
type lastN struct {
	n int
}

func (lastN) Zero() Partial { return []Interaction(nil) }

func (l lastN) Update(p Partial, in Input) Partial {
	list := p.([]Interaction)
	x := Interaction{Item: in.Item, Type: in.Type, Value: in.Value, Time: in.Time, Seq: in.Seq}
	i, _ := slices.BinarySearchFunc(list, x, newestFirst)
	if len(list) == l.n {
		if i == l.n {
			return list
		}
		list = list[:l.n-1]
	}
	return slices.Insert(list, i, x)
}

func (l lastN) Merge(a, b Partial) Partial {
	x, y := a.([]Interaction), b.([]Interaction)
	out := make([]Interaction, 0, min(l.n, len(x)+len(y)))
	for len(out) < l.n && len(x)+len(y) > 0 {
		if len(y) == 0 || len(x) > 0 && newestFirst(x[0], y[0]) <= 0 {
			out, x = append(out, x[0]), x[1:]
		} else {
			out, y = append(out, y[0]), y[1:]
		}
	}
	return out
}

func newestFirst(a, b Interaction) int {
	switch {
	case a.Time != b.Time:
		return cmpDown(a.Time, b.Time)
	default:
		return cmpDown(a.Seq, b.Seq)
	}
}

func cmpDown(a, b int64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

func (l lastN) Finalize(tiles []TilePartial, _ int64) Value {
	p := l.Zero()
	for _, t := range tiles {
		p = l.Merge(p, t.Partial)
	}
	return p.([]Interaction)
}

func (lastN) Append(dst []byte, p Partial) []byte {
	list := p.([]Interaction)
	dst = appendInt(dst, int64(len(list)))
	for _, x := range list {
		dst = appendText(appendText(dst, x.Item), x.Type)
		dst = appendInt(appendInt(dst, x.Time), x.Seq)
		if x.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = appendFloat(append(dst, 1), *x.Value)
	}
	return dst
}

func (l lastN) Decode(b []byte) (Partial, []byte, error) {
	n, b, err := readInt(b)
	if err != nil {
		return nil, nil, err
	}
	if n < 0 || n > int64(l.n) {
		return nil, nil, fmt.Errorf("last_n: %d entries, at most %d are possible", n, l.n)
	}
	list := make([]Interaction, n)
	for i := range list {
		if list[i], b, err = readInteraction(b); err != nil {
			return nil, nil, err
		}
	}
	return slices.Clip(list), b, nil
}

func readInteraction(b []byte) (x Interaction, rest []byte, err error) {
	if x.Item, b, err = readText(b); err != nil {
		return x, nil, err
	}
	if x.Type, b, err = readText(b); err != nil {
		return x, nil, err
	}
	if x.Time, b, err = readInt(b); err != nil {
		return x, nil, err
	}
	if x.Seq, b, err = readInt(b); err != nil {
		return x, nil, err
	}
	if len(b) == 0 {
		return x, nil, errShort
	}
	has := b[0]
	b = b[1:]
	if has == 0 {
		return x, b, nil
	}
	v, b, err := readFloat(b)
	x.Value = &v
	return x, b, err
}
