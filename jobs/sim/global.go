package sim

import (
	"slices"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/serving/online"
)

// global reads the global entity as serving does for its trending lists, which is all that it tells of it.
func (w *world) global(q question) (given, error) {
	out := given{reasons: w.reasons(q), live: online.LiveExact, offsets: w.fences(q), values: map[string]agg.Value{}}
	plan, cut := q.catalogue.plan(feature.Global), int64(0)
	read := plan.NewReader()
	read.Begin(q.at)
	if q.generation != nil {
		cut = q.generation.manifest.Inputs.CutN
		view, _, err := q.generation.files.GlobalView()
		if err == nil {
			err = read.AddView(view)
		}
		if err != nil {
			return out, err
		}
	}
	if !slices.Contains(out.reasons, unreachable) {
		for _, p := range q.partitions {
			keys := redis.Keys{Partition: p, Namespace: q.catalogue.namespace}
			fence, err := redis.ParseFence(w.redis.data[keys.Fence()])
			if err != nil {
				continue
			}
			if _, err := read.AddState([]byte(w.redis.data[keys.Global(fence.Incarnation)]), cut); err != nil {
				return out, err
			}
		}
	}
	if slices.ContainsFunc(out.reasons, func(r string) bool { return r != noGeneration }) {
		out.live = online.LiveDegraded
	}
	for i, v := range read.Values() {
		out.values[plan.Features[i].Def.Name] = v
	}
	return out, nil
}
