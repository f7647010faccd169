package live

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// world is a partition's log, a store with the promise of the fenced commit, and an engine between
// them: everything that the runner has, without Kafka and Redis.
type world struct {
	catalogue feature.Catalogue
	engine    *Engine
	plans     map[feature.Entity]*tile.Plan
	oracle    oracle
	records   []Record
	now       event.Millis

	fence   Fence
	blobs   map[string][]byte
	history []saved // the stored state before each commit
	letters []DeadLetter
}

type saved struct {
	fence Fence
	blobs map[string][]byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEngine(c, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		catalogue: c, engine: e, blobs: map[string][]byte{}, now: 1_767_261_600_000, // 2026-01-01T10:00:00Z
		plans: map[feature.Entity]*tile.Plan{feature.User: e.user, feature.Item: e.item, feature.Global: e.global},
	}
}

// produce appends a valid event.
func (w *world) produce(ev event.Event) error {
	value, err := ev.Encode()
	if err != nil {
		return err
	}
	w.append(Record{Key: []byte(ev.UserID), Value: value}, entry{event: ev})
	return nil
}

// garbage appends an invalid record.
func (w *world) garbage(value string) {
	w.append(Record{Key: []byte("u1"), Value: []byte(value)}, entry{invalid: true})
}

// control appends the end of a transaction.
func (w *world) control() {
	w.append(Record{IsControl: true, Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 0}}, entry{invalid: true})
}

// mark appends a record with a mark header.
func (w *world) mark(n int64) {
	w.append(Record{IsMark: true, Mark: n}, entry{isMark: true, mark: n})
}

func (w *world) append(r Record, x entry) {
	r.Offset, r.LogTime = int64(len(w.records)), w.now
	x.offset = r.Offset
	w.records, w.oracle.log = append(w.records, r), append(w.oracle.log, x)
}

// run applies up to n records from the fence on. A crash is one between computing and committing.
func (w *world) run(n int, floor int64, crash bool) (Result, error) {
	from := w.fence
	from.Base = max(from.Base, floor)
	end := min(len(w.records), int(from.Next)+n)
	batch := w.engine.Judge(from, w.records[from.Next:end])
	var states [][]byte
	for _, suffix := range batch.Touched {
		states = append(states, w.blobs[suffix])
	}
	result, err := w.engine.Apply(from, &batch, states, 0)
	if err != nil {
		return Result{}, err
	}
	w.letters = append(w.letters, batch.Letters...)
	if crash {
		return result, nil
	}
	w.history = append(w.history, saved{w.fence, w.copyBlobs()})
	for _, b := range result.Blobs {
		w.blobs[b.Suffix] = bytes.Clone(b.Value)
	}
	w.fence = batch.Next
	return result, nil
}

func (w *world) copyBlobs() map[string][]byte {
	c := make(map[string][]byte, len(w.blobs))
	for k, v := range w.blobs {
		c[k] = v
	}
	return c
}

// lose undoes the last n commits, as a Redis that lost its latest writes does.
func (w *world) lose(n int) {
	s := w.history[len(w.history)-n]
	w.history = w.history[:len(w.history)-n]
	w.fence, w.blobs = s.fence, s.blobs
}

// reset drops everything stored and opens a namespace at the start of the log.
func (w *world) reset() {
	w.fence, w.blobs, w.history = Fence{}, map[string][]byte{}, nil
}

// read returns a feature from the stored state of its entity, over epochs ≥ cut at instant t.
func (w *world) read(name, who string, cut, t int64) (agg.Value, error) {
	for entity, plan := range w.plans {
		i := plan.Feature(name)
		if i < 0 {
			continue
		}
		suffix := map[feature.Entity]string{feature.User: userSuffix(who), feature.Item: itemSuffix(who), feature.Global: globalSuffix}[entity]
		r := plan.NewReader()
		r.Begin(t)
		_, err := r.AddState(w.blobs[suffix], cut)
		return r.Value(i), err
	}
	return agg.Null, fmt.Errorf("no feature %q", name)
}

// check compares every feature of everybody with the oracle.
func (w *world) check(cut, t int64) error {
	whos := map[feature.Entity]map[string]bool{feature.User: {}, feature.Item: {}, feature.Global: {"": true}}
	for _, x := range w.oracle.log {
		if !x.isMark && !x.invalid {
			whos[feature.User][x.event.UserID], whos[feature.Item][x.event.ItemID] = true, true
		}
	}
	var wrong []string
	for entity, plan := range w.plans {
		for _, f := range plan.Features {
			for who := range whos[entity] {
				got, err := w.read(f.Def.Name, who, cut, t)
				if err != nil {
					return err
				}
				if err := w.oracle.answer(w.catalogue, f.Def, who, 0, cut, t).Check(got); err != nil {
					wrong = append(wrong, fmt.Sprintf("%s of %q from epoch %d: %v", f.Def.Name, who, cut, err))
				}
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

// sameStates reports whether the blobs of two worlds hold the same states. The numbers of their texts may differ: those
// depend on the batches until a state is compacted.
func sameStates(one, many *world) (bool, error) {
	a, err := one.encodedAnew()
	b, errMany := many.encodedAnew()
	return maps.EqualFunc(a, b, bytes.Equal), errors.Join(err, errMany)
}

// encodedAnew returns the states as they are encoded when they are decoded.
func (w *world) encodedAnew() (map[string][]byte, error) {
	out := map[string][]byte{}
	for suffix, blob := range w.blobs {
		s, err := w.engine.Decode(suffix, blob)
		if err != nil {
			return nil, err
		}
		out[suffix] = w.engine.planOf(suffix).NewCodec().AppendState(nil, s)
	}
	return out, nil
}
