package materialize

import (
	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/tile"
)

// continueView opens an encoded view, which is empty where there is none, for the events of the rows.
func continueView(v *tile.Continued, view []byte, c *spill.Columns, rows []int32) error {
	if len(view) == 0 {
		v.Reset()
		return nil
	}
	since := int64(tile.NoEvents)
	for _, r := range rows {
		since = min(since, c.Ints[colTime][r])
	}
	return v.Open(view, since)
}

// pruner drops tiles that no window reaches any more from encoded views.
type pruner struct {
	plan  *tile.Plan
	codec *tile.Codec
	asOf  int64
	view  *tile.Continued
	buf   []byte
}

func newPruner(p *tile.Plan, asOf int64) *pruner {
	return &pruner{plan: p, codec: p.NewCodec(), asOf: asOf, view: p.NewContinued()}
}

// prune returns the view itself where nothing has to go.
func (p *pruner) prune(view []byte) ([]byte, error) {
	expired, err := p.plan.Expired(view, p.asOf)
	if err != nil || !expired {
		return view, err
	}
	p.buf, err = p.codec.AppendPruned(p.buf[:0], p.view, view, p.asOf)
	return p.buf, err
}
