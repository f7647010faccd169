package agg

// LastItem is the partial of last: the item of the latest event, by event time, then position.
type LastItem struct {
	Time, Seq int64
	Item      string // "" before the first event
}

// last keeps the item of the latest event.
type last struct{}

func (last) Zero() Partial { return LastItem{} }

func (l last) Update(p Partial, in Input) Partial {
	return l.Merge(p, LastItem{Time: in.Time, Seq: in.Seq, Item: in.Item})
}

func (last) Merge(a, b Partial) Partial {
	x, y := a.(LastItem), b.(LastItem)
	if x.Item == "" || y.Item != "" && (y.Time > x.Time || y.Time == x.Time && y.Seq > x.Seq) {
		return y
	}
	return x
}

func (l last) Finalize(tiles []TilePartial, _ int64) Value {
	p := l.Zero()
	for _, t := range tiles {
		p = l.Merge(p, t.Partial)
	}
	if item := p.(LastItem).Item; item != "" {
		return item
	}
	return nil
}

func (last) Append(dst []byte, p Partial) []byte {
	x := p.(LastItem)
	return appendText(appendInt(appendInt(dst, x.Time), x.Seq), x.Item)
}

func (last) Decode(b []byte) (Partial, []byte, error) {
	var x LastItem
	var err error
	if x.Time, b, err = readInt(b); err != nil {
		return nil, nil, err
	}
	if x.Seq, b, err = readInt(b); err != nil {
		return nil, nil, err
	}
	x.Item, b, err = readText(b)
	return x, b, err
}
