package tile

import (
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
)

// UpdateSince adds an event to the bucket as Update does, but leaves out the tiles that Prune(b, asOf)
// would drop. Reading years of history thereby costs what is kept of it.
func (p *Plan) UpdateSince(b Bucket, e *event.Event, seq, asOf int64) {
	in := agg.Input{Time: int64(e.Time), Seq: seq, Item: e.ItemID, Type: e.Type, Value: e.Value}
	for i, f := range p.Features {
		in.TileStart = Start(in.Time, f.width)
		if from, _ := f.reach(asOf); in.TileStart >= from {
			b[i] = f.add(b[i], e, in)
		}
	}
}

// add adds an event to the feature's series, if the feature takes it.
func (f Feature) add(s Series, e *event.Event, in agg.Input) Series {
	if !f.Def.Takes(e.Type) {
		return s
	}
	key := ""
	if f.Def.By != "" {
		if key = e.Category(); key == "" {
			return s // features group by what the event carries; absent is in no group
		}
	}
	return s.update(f.Monoid, key, in)
}
