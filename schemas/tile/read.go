package tile

import (
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Group is the answer of a feature that is grouped by an attribute: one entry a value of it.
type Group struct {
	Key   string  `json:"key"`
	Value float64 `json:"value"`
}

// Read returns the answers of every feature of the plan at instant t (Unix ms), in plan order, over
// the union of the given buckets. A grouped feature answers with a []Group, largest first.
func (p *Plan) Read(t int64, buckets ...Bucket) []agg.Value {
	out := make([]agg.Value, len(p.Features))
	for i := range p.Features {
		out[i] = p.ReadFeature(i, t, buckets...)
	}
	return out
}

// ReadFeature returns the answer of the i-th feature of the plan, as Read does.
func (p *Plan) ReadFeature(i int, t int64, buckets ...Bucket) agg.Value {
	f := p.Features[i]
	var cells Series
	for _, b := range buckets {
		if len(b) > 0 { // an entity without a view or without live state has no series
			cells = mergeSeries(f.Monoid, cells, f.within(b[i], t))
		}
	}
	if f.Def.By == "" {
		return f.Monoid.Finalize(partials(cells), t)
	}
	return f.groups(cells, t)
}

// within returns the cells of s that the feature's window read at t takes.
func (f Feature) within(s Series, t int64) Series {
	from, to := f.reach(t)
	i, _ := s.find(from, "")
	j, _ := s.find(to+1, "")
	return s[i:j]
}

func (f Feature) groups(cells Series, t int64) agg.Value {
	byKey := map[string][]agg.TilePartial{}
	for _, c := range cells {
		byKey[c.Key] = append(byKey[c.Key], agg.TilePartial{Start: c.Start, Partial: c.Partial})
	}
	out := make([]Group, 0, len(byKey))
	for key, tiles := range byKey {
		out = append(out, Group{key, f.Monoid.Finalize(tiles, t).(float64)})
	}
	slices.SortFunc(out, func(a, b Group) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out
}

func partials(cells Series) []agg.TilePartial {
	out := make([]agg.TilePartial, len(cells))
	for i, c := range cells {
		out[i] = agg.TilePartial{Start: c.Start, Partial: c.Partial}
	}
	return out
}
