package sim

import (
	"fmt"

	"github.com/anabranch/anabranch/infra/redis"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// settler is the number of the worker and owner that bring everything to its end.
const settler = 2

// doSettle lets everything recover, as operators and time do in the end: Redis is up, half-written marks are
// completed, the archive and the live state of every definition reach the end of the log, a last night
// is published. Then every answer has to be exact, also those of the generation before.
func (w *world) doSettle() error {
	w.redis.down, w.redis.next, w.logSkew = false, answered, 0
	if n := len(w.marks); n > 0 {
		w.now = max(w.now, w.marks[n-1].Label.UnixMilli())
	}
	w.now += 10 * minute
	if err := w.finishMarks(^int64(0)); err != nil {
		return err
	}
	for u := range int64(users) {
		e := w.event(w.now/1000+u, u)
		e.ID, e.Time = fmt.Sprintf("e%d", w.fresh()), min(e.Time, event.Millis(w.now))
		if err := w.produce(e); err != nil {
			return err
		}
	}
	w.notes = w.notes[:0]
	if err := w.doMark(0, ^int64(0)); err != nil {
		return err
	}
	if err := w.doEvent(w.now/1000, 0, 1); err != nil {
		return err
	}
	delete(w.archivers, settler)
	for p := range w.log {
		if err := w.archive(settler, int32(p), w.log[p].end()); err != nil {
			return err
		}
	}
	for _, step := range []func() error{w.catchUp, func() error { return w.doNight(0, true) }, w.catchUp, w.checkBounded, w.checkSettled} {
		if err := step(); err != nil {
			return err
		}
	}
	if len(w.pointer.Retained) < 2 {
		return nil
	}
	if err := w.doRollback(0); err != nil {
		return err
	}
	return w.checkSettled()
}

// checkBounded looks at the states of the users, all of which have just acted: no tile is kept that no
// window reaches any more. An hour and some minutes are what clocks may differ by.
func (w *world) checkBounded() error {
	for _, c := range w.wanted() {
		plan := c.plan(feature.User)
		for u := range int64(users) {
			keys := redis.Keys{Partition: w.partitionOf(userName(u)), Namespace: c.namespace}
			fence, err := redis.ParseFence(w.redis.data[keys.Fence()])
			if err != nil {
				return err
			}
			s, err := plan.DecodeState([]byte(w.redis.data[keys.User(fence.Incarnation, userName(u))]))
			if err != nil {
				return err
			}
			for _, e := range s.Epochs {
				for i, series := range e.Bucket {
					p := plan.Series[i]
					if p.Width == 0 || len(series) == 0 {
						continue
					}
					if oldest := w.now - hour - 10*minute - int64(p.Window) - p.Width; series[0].Tile*p.Width < oldest {
						return fmt.Errorf("the state of %s keeps a tile of %s, which no window reaches since %s",
							userName(u), stamp(series[0].Tile*p.Width), stamp(oldest+p.Width))
					}
				}
			}
		}
	}
	return nil
}

// catchUp brings the live state of every wanted definition to the end of the log.
func (w *world) catchUp() error {
	w.floor = w.pointer.Floor
	for _, c := range w.wanted() {
		for p := range int32(len(w.log)) {
			k := ownerKey{c.hash, p, settler}
			delete(w.owners, k)
			o, err := w.owner(k, c)
			if err != nil {
				return err
			}
			err = w.advance(o, p, w.log[p].end())
			if err != nil && w.rebuild(c, p) { // as its message says
				w.note("%v: the fence is deleted", err)
				err = w.advance(o, p, w.log[p].end())
			}
			if err == nil {
				err = o.Verify(w.ctx)
			}
			if err != nil {
				return fmt.Errorf("live state of partition %d does not recover: %w", p, err)
			}
			if next, _ := o.Running(); next != w.log[p].end() {
				return fmt.Errorf("live state of partition %d stays at offset %d, the log ends at %d", p, next, w.log[p].end())
			}
		}
	}
	return nil
}

// rebuild deletes a fence that has fallen behind its states, or behind what Kafka still holds; no other may
// ever have to be deleted.
func (w *world) rebuild(c *catalogue, p int32) bool {
	key := redis.Keys{Partition: p, Namespace: c.namespace}.Fence()
	fence, err := redis.ParseFence(w.redis.data[key])
	if err != nil || !w.torn[key] && fence.Next >= w.log[p].start {
		return false
	}
	delete(w.redis.data, key)
	delete(w.torn, key)
	w.redis.history = nil
	return true
}

// checkSettled asks for everybody, after which no answer may be degraded.
func (w *world) checkSettled() error {
	for i := range w.servers {
		if err := w.doRefresh(i); err != nil {
			return err
		}
	}
	f := w.servers[0]
	for _, e := range entities {
		for n := range map[feature.Entity]int64{feature.User: users, feature.Item: items, feature.Global: 1}[e] {
			q := w.questionFor(f, e, n, w.now)
			degraded, err := w.ask(q)
			if err != nil {
				return err
			}
			if len(degraded) > 0 {
				return fmt.Errorf("%s %s: everything has recovered, and still the answer is degraded: %q", e, q.who, degraded)
			}
		}
	}
	return nil
}
