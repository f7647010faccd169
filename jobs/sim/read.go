package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anabranch/anabranch/batch/asof"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/serving/online"
	"github.com/anabranch/anabranch/stream/archive"
)

// The reasons that a receipt may have, as serving/online words them.
const (
	noGeneration = "no generation yet"
	clockBehind  = "this generation begins after now; a clock is wrong"
	unreachable  = "Redis cannot be reached"
	missing      = "live state is missing"
	filling      = "live state is being filled"
	trimmed      = "live state no longer holds every epoch since this generation"
)

// front is a server: it serves the generation that it saw last.
type front struct {
	*online.Service
	configured *catalogue
	at         int64 // of its clock, Unix ms
	failures   int   // of Redis, in a row
}

// restart starts a server anew. It serves no generation until it looks at the pointer.
func (w *world) restart(i int) error {
	f := &front{configured: w.configured}
	s, err := online.New(online.Config{
		Bucket: w.bucket, Features: w.configured.Catalogue, Redis: w.client, Partitions: int32(len(w.log)),
		LiveTimeout: time.Hour, Now: func() time.Time { return time.UnixMilli(f.at).UTC() }, Logger: silent,
	})
	if err != nil {
		return err
	}
	f.Service = s
	w.servers[i] = f
	return nil
}

// doRefresh lets a server look at the pointer. One that has given Redis up is started anew.
func (w *world) doRefresh(i int) error {
	if w.servers[i].failures >= 3 {
		if err := w.restart(i); err != nil {
			return err
		}
	}
	w.servers[i].at = w.now
	return w.servers[i].Refresh(w.ctx)
}

// served returns the generation of a server; nil before the first one.
func (w *world) served(f *front) *generation {
	if info := f.Generation(); info != nil {
		return w.generation[info.ID]
	}
	return nil
}

// question is a read of one member of an entity at an instant.
type question struct {
	front  *front
	entity feature.Entity
	who    string
	at     int64

	generation *generation // nil for none
	catalogue  *catalogue
	partitions []int32 // that may hold live state of the member
}

// given is an answer with what its receipt says.
type given struct {
	values  map[string]agg.Value
	live    online.LiveStatus
	reasons []string
	offsets map[int32]int64
}

// doRead asks a server whose clock is behind by lag.
func (w *world) doRead(server int, e feature.Entity, who, lag int64) error {
	_, err := w.ask(w.questionFor(w.servers[server], e, who, w.now-lag))
	return err
}

func (w *world) questionFor(f *front, e feature.Entity, who, at int64) question {
	q := question{front: f, entity: e, who: memberName(e, who), at: at, generation: w.served(f), catalogue: f.configured}
	if q.generation != nil {
		q.catalogue = q.generation.catalogue
		if begin := q.generation.asOf().UnixMilli(); q.at < begin && q.at+5000 >= begin {
			q.at = begin // between the two it may answer as if it were then
		}
	}
	for p := range w.log {
		if e != feature.User || w.partitionOf(q.who) == int32(p) {
			q.partitions = append(q.partitions, int32(p))
		}
	}
	return q
}

func memberName(e feature.Entity, n int64) string {
	switch e {
	case feature.User:
		return userName(n % users)
	case feature.Item:
		return fmt.Sprintf("i%d", n%items)
	}
	return feature.GlobalID
}

// ask asks and checks the answer. degraded is why it is not exact, where that is right.
func (w *world) ask(q question) (degraded []string, err error) {
	want := w.reasons(q)
	got, err := w.answer(q)
	if err != nil {
		return nil, err
	}
	if slices.Sort(got.reasons); !slices.Equal(want, got.reasons) {
		return nil, fmt.Errorf("%s %s at %s: the receipt says %q, true is %q", q.entity, q.who, stamp(q.at), got.reasons, want)
	}
	limit, known := w.limit(q, got)
	w.note("%s %s at %s: %s %v, %s", q.entity, q.who, stamp(q.at), got.live, got.offsets, strings.Join(want, "; "))
	if !known {
		return want, nil
	}
	records := w.before(limit)
	if q.generation == nil {
		records = records[len(w.imported):]
	}
	return want, compare(q, records, got.values)
}

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

// answer asks the server.
func (w *world) answer(q question) (given, error) {
	q.front.at = q.at
	var r online.Receipt
	var values map[string]agg.Value
	switch q.entity {
	case feature.User:
		a, err := q.front.Features(w.ctx, q.who)
		if err != nil {
			return given{}, err
		}
		r, values = a.Receipt, a.Features
	case feature.Item:
		a, err := q.front.ItemFeatures(w.ctx, q.who)
		if api.CodeOf(err) == api.NotFound { // it is certain that nobody knows it
			return given{live: online.LiveExact, offsets: w.fences(q)}, nil
		}
		if err != nil {
			return given{}, err
		}
		r, values = a.Receipt, a.Features
	default:
		return w.global(q)
	}
	if w.redis.down {
		q.front.failures++
	} else if q.front.failures < 3 {
		q.front.failures = 0
	}
	var reasons []string
	if r.Reason != "" {
		reasons = strings.Split(r.Reason, "; ")
		if r.Reason == clockBehind || strings.HasPrefix(r.Reason, clockBehind+"; ") { // it has a semicolon itself
			reasons = append([]string{clockBehind}, reasons[2:]...)
		}
	}
	if r.Degraded != (len(reasons) > 0) {
		return given{}, fmt.Errorf("degraded is %v, the reasons are %q", r.Degraded, reasons)
	}
	return given{values, r.Live, reasons, r.LiveOffsets}, nil
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
