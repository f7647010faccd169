package sim

import (
	"fmt"
	"slices"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// reasons are why an answer is not exact, by what Redis holds.
func (w *world) reasons(q question) (out []string) {
	because := func(reason string) {
		if !slices.Contains(out, reason) {
			out = append(out, reason)
		}
	}
	cut := int64(0)
	if q.generation == nil {
		because(noGeneration)
	} else {
		cut = q.generation.manifest.Inputs.CutN
		if q.at+5000 < q.generation.asOf().UnixMilli() {
			because(clockBehind)
		}
	}
	if w.redis.down || q.front.failures >= 3 {
		because(unreachable)
		slices.Sort(out)
		return out
	}
	for _, p := range q.partitions {
		keys := redis.Keys{Partition: p, Namespace: q.catalogue.namespace}
		fence, err := redis.ParseFence(w.redis.data[keys.Fence()])
		if err != nil {
			because(missing)
			continue
		}
		next, _, err := q.catalogue.plan(q.entity).Peek([]byte(w.redis.data[q.key(keys, fence.Incarnation)]))
		if err != nil {
			because(err.Error())
		}
		if fence.Base > cut {
			because(trimmed)
		}
		if fence.Next < fence.Target || next > fence.Next {
			because(filling)
		}
	}
	slices.Sort(out)
	return out
}

func (q question) key(k redis.Keys, incarnation string) string {
	switch q.entity {
	case feature.User:
		return k.User(incarnation, q.who)
	case feature.Item:
		return k.Item(incarnation, q.who)
	}
	return k.Global(incarnation)
}

// fences returns where live state stands.
func (w *world) fences(q question) map[int32]int64 {
	out := map[int32]int64{}
	for _, p := range q.partitions {
		keys := redis.Keys{Partition: p, Namespace: q.catalogue.namespace}
		if f, err := redis.ParseFence(w.redis.data[keys.Fence()]); err == nil {
			out[p] = f.Next
		}
	}
	return out
}

// limit returns, by partition, before which offset everything must be in an answer; known is false where
// the receipt does not say it.
func (w *world) limit(q question, got given) (limit map[int32]int64, known bool) {
	limit = map[int32]int64{}
	if q.generation != nil {
		for p, offset := range q.generation.manifest.Inputs.Cut {
			limit[p] = offset
		}
	}
	if slices.Contains(got.reasons, clockBehind) {
		return nil, false
	}
	if len(got.offsets) == 0 { // batch only
		return limit, true
	}
	if slices.ContainsFunc(got.reasons, func(r string) bool { return r != noGeneration }) {
		return nil, false
	}
	if q.entity != feature.User || q.generation == nil {
		for p := range w.log {
			limit[int32(p)] = max(limit[int32(p)], got.offsets[int32(p)])
		}
		return limit, true
	}
	p := q.partitions[0]
	limit[p] = max(limit[p], got.offsets[p])
	return limit, true
}

// compare compares answers with what the oracle says of the valid records that must be in them.
func compare(q question, valid []oracle.Record, values map[string]agg.Value) error {
	distinct := oracle.Of(q.entity, q.who, oracle.Distinct(valid))
	if values == nil {
		if len(distinct) > 0 {
			return fmt.Errorf("%s %s is not found, there are %d events", q.entity, q.who, len(distinct))
		}
		return nil
	}
	for _, d := range q.catalogue.Of(q.entity) {
		want := oracle.Answer(q.catalogue.Catalogue, d, distinct, q.at)
		if err := want.Check(values[d.Name]); err != nil {
			return fmt.Errorf("%s %s at %s: %w", q.entity, q.who, stamp(q.at), err)
		}
	}
	return nil
}

// checkShare compares the derived feature of users with what it is derived from.
func checkShare(q question, values map[string]agg.Value) error {
	if q.entity != feature.User {
		return nil
	}
	lately, _ := values["lately"].Int64()
	events, _ := values["events"].Int64()
	share, ok := values["share"].Float64()
	if ok != (events > 0) || ok && share != float64(lately)/float64(events) {
		return fmt.Errorf("user %s at %s: %d of %d events are a share of %s", q.who, stamp(q.at), lately, events, values["share"])
	}
	return nil
}
