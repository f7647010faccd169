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

// pruner drops tiles that no window reaches any more from encoded views of the previous generation.
type pruner struct {
	plan   *tile.Plan
	codec  *tile.Codec
	engine *engine
	before int64 // as of when the previous generation is
	view   *tile.Continued
	buf    []byte
}

// newPruner returns one that is not used where the engine continues nothing.
func (e *engine) newPruner(p *tile.Plan) *pruner {
	x := &pruner{plan: p, codec: p.NewCodec(), engine: e, view: p.NewContinued()}
	if e.previous != nil {
		x.before = e.previous.Inputs.AsOf.UnixMilli()
	}
	return x
}

// prune returns the view of a member, or the view itself where nothing has to go: most often because its horizon is
// still that of the night before. Label is that of the latest epoch of the night in which an event of the member counted.
func (p *pruner) prune(id, view []byte, label int64) ([]byte, error) {
	turn := tile.TurnOf(id)
	horizon := p.engine.horizon(turn, label)
	if turn.Horizon(p.before) == horizon {
		return view, nil
	}
	expired, err := p.plan.Expired(view, horizon)
	if err != nil || !expired {
		return view, err
	}
	p.buf, err = p.codec.AppendPruned(p.buf[:0], p.view, view, horizon)
	return p.buf, err
}
