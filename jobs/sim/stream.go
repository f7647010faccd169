package sim

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/stream/archive"
	"github.com/anabranch/anabranch/stream/live"
)

func controlAttrs() kgo.RecordAttrs { return kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true}) }

// doArchive lets an archiving process take records of a partition; it may crash in one of its writes.
func (w *world) doArchive(worker int64, p int32, n, crash int64) error {
	return w.crashing(crash, func() error {
		err := w.archive(worker, p, n)
		if err != nil {
			delete(w.archivers, worker)
		}
		return err
	})
}

func (w *world) archive(worker int64, p int32, n int64) error {
	a := w.archivers[worker]
	if a == nil {
		feeder, err := archive.NewFeeder(archive.Config{
			Bucket: w.bucket, Topics: kafka.Topics{EventsID: topicID, Partitions: int32(len(w.log))},
			Limits:   archive.Limits{Rows: 20 + 30*int(worker), Age: time.Hour},
			Patience: time.Nanosecond, Now: w.clock(0),
		})
		if err != nil {
			return err
		}
		next, err := feeder.Load(w.ctx)
		if err != nil {
			return err
		}
		a = &archiver{feeder, next}
		w.archivers[worker] = a
	}
	if a.next[p] < w.log[p].start {
		delete(w.archivers, worker) // another process archived it, and Kafka forgot it since: start again
		return nil
	}
	records := w.log[p].fetch(a.next[p], n)
	a.next[p] += int64(len(records))
	w.note("p%d up to %d", p, a.next[p])
	return a.feeder.Feed(w.ctx, p, records)
}

// ownerKey names a live process's owner of a partition.
type ownerKey struct {
	hash      string
	partition int32
	owner     int64
}

// wanted returns the catalogues that live state is kept of: those of the retained generations and the
// configured one.
func (w *world) wanted() []*catalogue {
	all := []*catalogue{w.configured}
	for _, r := range w.pointer.Retained {
		if c := w.generation[r.ID].catalogue; !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	for k := range w.owners {
		if !slices.ContainsFunc(all, func(c *catalogue) bool { return c.hash == k.hash }) {
			delete(w.owners, k)
		}
	}
	return all
}

// Held implements live.Log.
func (w *world) Held(_ context.Context, p int32) (live.Held, error) {
	return live.Held{TopicID: kafka.HexID(topicID), Start: w.log[p].start, End: w.log[p].end()}, nil
}

// Bury implements live.Log. Dead letters are no part of any answer.
func (w *world) Bury(context.Context, []*kgo.Record) error { return nil }

// origin says where live state of a partition begins, as jobs does.
func (w *world) origin(ctx context.Context, p int32) (live.Origin, error) {
	w.floor = w.pointer.Floor
	if w.floor < 2 {
		return live.OriginOf(w.floor, nil, p)
	}
	x, _, err := archive.ReadIndex(ctx, w.bucket, w.floor-2)
	if err != nil {
		return live.Origin{}, err
	}
	return live.OriginOf(w.floor, x.End, p)
}

// owner returns a live process's owner of a partition.
func (w *world) owner(k ownerKey, c *catalogue) (*live.Driven, error) {
	if o := w.owners[k]; o != nil {
		return o, nil
	}
	o, err := live.NewDriven(live.Config{
		Partitions: int32(len(w.log)), Redis: w.redis.dial(), Catalogue: c.Catalogue, Origin: w.origin,
		Floor: func() int64 { return w.floor }, Clock: w.clock(w.ownerSkew(k.owner)), Logger: silent,
		BatchRecords: 4 + 5*int(k.owner), CacheBytes: 4_000 * len(w.log),
	}, k.partition, w)
	if err == nil {
		w.owners[k] = o
	}
	return o, err
}

// ownerSkew is how far a live process's clock is off. In some worlds one is days ahead; log times are right
// there, since nothing may be lost by one of the two alone.
func (w *world) ownerSkew(owner int64) int64 {
	if w.ahead && owner == 1 {
		return 10 * day
	}
	return (owner - 1) * 4 * minute
}

// doOwn lets an owner apply records of a partition. What it finds may send it back; that is no failure.
func (w *world) doOwn(which, owner int64, p int32, n int64, outcome answer, stale bool) error {
	if !stale {
		w.floor = w.pointer.Floor
	}
	all := w.wanted()
	c := all[which%int64(len(all))]
	k := ownerKey{c.hash, p, owner}
	o, err := w.owner(k, c)
	if err != nil {
		return err
	}
	w.redis.next = outcome % 3
	defer func() { w.redis.next = answered }()
	if err := w.advance(o, p, n); err != nil {
		w.note("%v", err)
	}
	if outcome >= 3 { // the process ends
		delete(w.owners, k)
	}
	return w.checkStates(c, p)
}

// advance recovers an owner, if it must, and gives it records.
func (w *world) advance(o *live.Driven, p int32, n int64) error {
	if _, ok := o.Running(); !ok {
		if err := o.Recover(w.ctx); err != nil {
			return err
		}
	}
	next, _ := o.Running()
	if next < w.log[p].start {
		return o.Recover(w.ctx) // Kafka says that the offset is out of range
	}
	err := o.Process(w.ctx, w.log[p].fetch(next, n), w.log[p].end())
	next, _ = o.Running()
	w.note("p%d at %d", p, next)
	return err
}

func (w *world) doVerify(which, owner int64, p int32) error {
	all := w.wanted()
	c := all[which%int64(len(all))]
	if o := w.owners[ownerKey{c.hash, p, owner}]; o != nil {
		if _, ok := o.Running(); ok {
			if err := o.Verify(w.ctx); err != nil {
				w.note("%v", err)
			}
		}
	}
	return nil
}

// checkStates looks at what the last commit wrote: states hold open epochs only, and nothing from beyond
// the fence.
func (w *world) checkStates(c *catalogue, p int32) error {
	keys := redis.Keys{Partition: p, Namespace: c.namespace}
	raw, ok := w.redis.data[keys.Fence()]
	if !ok || len(w.redis.history) == 0 || w.torn[keys.Fence()] {
		return nil
	}
	fence, err := redis.ParseFence(raw)
	if err != nil {
		return err
	}
	last := w.redis.history[len(w.redis.history)-1]
	prefix := keys.State(fence.Incarnation)
	for _, changed := range last.before {
		suffix, ours := strings.CutPrefix(changed.key, prefix)
		if last.fence != keys.Fence() || !ours || suffix[0] == 'x' { // an index is no state
			continue
		}
		plan := c.plan(map[byte]feature.Entity{'u': feature.User, 'i': feature.Item, 'g': feature.Global}[suffix[0]])
		next, epochs, err := plan.Peek([]byte(w.redis.data[changed.key]))
		if err != nil {
			return err
		}
		if next > fence.Next {
			return fmt.Errorf("the state %s is at offset %d, its fence at %d", suffix, next, fence.Next)
		}
		if len(epochs) > 0 && (epochs[0] < fence.Base || epochs[len(epochs)-1] > fence.Epoch) {
			return fmt.Errorf("the state %s has the epochs %v, its fence is open from %d to %d", suffix, epochs, fence.Base, fence.Epoch)
		}
	}
	return nil
}

// doMark allocates a mark with a closer's clock, and writes it into some partitions.
func (w *world) doMark(skew, partitions int64) error {
	now := w.clock(skew)()
	m := model.Mark{N: int64(len(w.marks)) + 1, Label: now.Truncate(time.Second), Start: now}
	if len(w.marks) > 0 && !m.Label.After(w.marks[len(w.marks)-1].Label) {
		w.note("labels only rise")
		return nil
	}
	if _, err := w.bucket.PutJSONIfAbsent(w.ctx, model.MarkKey(m.N), m); err != nil {
		return err
	}
	w.marks = append(w.marks, m)
	w.note("mark %d, label %s", m.N, stamp(m.Label.UnixMilli()))
	return w.finishMarks(partitions)
}

// finishMarks writes the marks that partitions lack, in order.
func (w *world) finishMarks(partitions int64) error {
	for p := range w.log {
		for partitions>>p&1 == 1 && w.log[p].epoch < int64(len(w.marks)) {
			n := w.log[p].epoch + 1
			w.append(int32(p), markRecord(n), entry{})
			w.note("p%d@%d", p, w.log[p].end()-1)
		}
	}
	return nil
}

// doRetain lets Kafka forget what the floor does not need and everybody has archived.
func (w *world) doRetain() error {
	floor := w.pointer.Floor
	if floor < 2 {
		return nil
	}
	x, _, err := archive.ReadIndex(w.ctx, w.bucket, floor-2)
	if err != nil {
		return err
	}
	for p := range w.log {
		w.log[p].start = max(w.log[p].start, min(x.End[int32(p)], int64(math.MaxInt64)))
		w.note("p%d from %d", p, w.log[p].start)
	}
	return nil
}
