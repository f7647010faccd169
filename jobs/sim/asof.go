package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/batch/asof"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/stream/archive"
)

// doAsOf reads from raw data what was known some time ago.
func (w *world) doAsOf(e feature.Entity, who, ago int64) error {
	q := question{entity: e, who: memberName(e, who), at: w.now - ago, catalogue: w.configured}
	h, err := asof.Load(w.ctx, w.bucket, q.catalogue.Catalogue, e, []string{q.who}, w.now)
	if err != nil {
		return err
	}
	list, err := h.At(q.who, q.at)
	if err != nil {
		return err
	}
	values := map[string]agg.Value{}
	for i, v := range list {
		values[h.Plan().Features[i].Def.Name] = v
	}
	limit, err := w.archived()
	if err != nil {
		return err
	}
	logged := slices.DeleteFunc(w.before(limit), func(r oracle.Record) bool { return r.LogTime > q.at })
	distinct := slices.DeleteFunc(oracle.Distinct(logged), func(r oracle.Record) bool { return int64(r.Event.Time) > q.at })
	for i := range distinct { // they are distinct as it is
		distinct[i].Event.ID = fmt.Sprint(i)
	}
	if err := compare(q, distinct, values); err != nil {
		return fmt.Errorf("as of: %w", err)
	}
	return nil
}

// archived returns up to where the archive reaches.
func (w *world) archived() (map[int32]int64, error) {
	tails, err := archive.Tails(context.Background(), w.bucket, kafka.HexID(topicID), int32(len(w.log)))
	if err != nil {
		return nil, err
	}
	limit := map[int32]int64{}
	for p, t := range tails {
		limit[int32(p)] = t.Next
	}
	return limit, nil
}
