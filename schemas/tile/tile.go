// Package tile is the heart of the exact join (DESIGN §3): how events become tiles of event time
// inside buckets of epochs, how a live state and a batch view are encoded, and how both are merged
// and read at an instant. It is pure; stream, batch and serving all use it.
//
// The shape: a Plan is compiled from the catalogue for one entity and lists its features. A Series
// is one feature's cells, sorted by (tile start, key); a Bucket holds a series a feature. A live
// state has one bucket per open epoch; a batch view is a single bucket with everything before its
// cut. A served value is the view ⊕ the live buckets of epochs ≥ cut, which Joined computes: since
// a record has exactly one epoch, every event counts once, however late it is.
package tile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Feature is a compiled definition.
type Feature struct {
	Def    feature.Definition
	Monoid agg.Monoid
	width  int64 // ms; 0 for lifetime
}

// Plan is the compiled catalogue of one entity. The order of its features is that of the series in
// every bucket.
type Plan struct {
	Entity   feature.Entity
	Features []Feature
}

// Compile returns the plan of an entity.
func Compile(c feature.Catalogue, e feature.Entity) (*Plan, error) {
	p := &Plan{Entity: e}
	for _, d := range c.Of(e) {
		m, err := agg.For(d)
		if err != nil {
			return nil, fmt.Errorf("compile catalogue for %s: %w", e, err)
		}
		p.Features = append(p.Features, Feature{Def: d, Monoid: m, width: d.Window.Tile()})
	}
	return p, nil
}

// Feature returns the index of the named feature, or -1.
func (p *Plan) Feature(name string) int {
	return slices.IndexFunc(p.Features, func(f Feature) bool { return f.Def.Name == name })
}

// Start returns the start of the tile of width w that contains t; a lifetime tile starts at 0.
func Start(t, w int64) int64 {
	if w == 0 {
		return 0
	}
	s := t - t%w
	if t < 0 && t%w != 0 {
		s -= w
	}
	return s
}

// Cell is one tile of a feature, for one value of its grouping attribute ("" where there is none).
type Cell struct {
	Start   int64
	Key     string
	Partial agg.Partial
}

// Series is the cells of one feature, sorted by (Start, Key).
type Series []Cell

// Bucket holds a series a feature of the plan.
type Bucket []Series

// NewBucket returns an empty bucket.
func (p *Plan) NewBucket() Bucket { return make(Bucket, len(p.Features)) }

// Seq orders records as their positions do within a partition, and across partitions consistently.
// Imported rows come before every live record.
func Seq(partition int32, offset int64) int64 { return offset<<12 | int64(partition)&0xfff }

// ImportSeq is Seq for a row of the ordinal-th imported file (by file hash).
func ImportSeq(ordinal int, row int64) int64 { return -1<<62 + int64(ordinal)<<40 + row }

// Update adds an event to the bucket.
func (p *Plan) Update(b Bucket, e *event.Event, seq int64) {
	in := agg.Input{Time: int64(e.Time), Seq: seq, Item: e.ItemID, Type: e.Type, Value: e.Value}
	for i, f := range p.Features {
		in.TileStart = Start(in.Time, f.width)
		b[i] = f.add(b[i], e, in)
	}
}

func (s Series) update(m agg.Monoid, key string, in agg.Input) Series {
	i, found := s.find(in.TileStart, key)
	if !found {
		s = slices.Insert(s, i, Cell{Start: in.TileStart, Key: key, Partial: m.Zero()})
	}
	s[i].Partial = m.Update(s[i].Partial, in)
	return s
}

func (s Series) find(start int64, key string) (int, bool) {
	return slices.BinarySearchFunc(s, Cell{Start: start, Key: key}, order)
}

func order(a, b Cell) int {
	if c := cmp.Compare(a.Start, b.Start); c != 0 {
		return c
	}
	return strings.Compare(a.Key, b.Key)
}

// mergeSeries returns the series of the events of both. Neither argument is changed.
func mergeSeries(m agg.Monoid, x, y Series) Series {
	if len(x) == 0 {
		return slices.Clone(y)
	}
	out := make(Series, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch c := order(x[0], y[0]); {
		case c < 0:
			out, x = append(out, x[0]), x[1:]
		case c > 0:
			out, y = append(out, y[0]), y[1:]
		default:
			out = append(out, Cell{x[0].Start, x[0].Key, m.Merge(x[0].Partial, y[0].Partial)})
			x, y = x[1:], y[1:]
		}
	}
	return append(append(out, x...), y...)
}

// Prune drops, in place, the tiles that no window read at t or later can reach.
func (p *Plan) Prune(b Bucket, t int64) {
	for i, f := range p.Features {
		from, _ := f.reach(t)
		n, _ := b[i].find(from, "")
		b[i] = b[i][n:]
	}
}

// reach returns the first and the last tile start of the feature's window read at t.
func (f Feature) reach(t int64) (from, to int64) {
	if f.width == 0 {
		return 0, 0
	}
	return Start(t-int64(f.Def.Window), f.width), Start(t, f.width)
}
