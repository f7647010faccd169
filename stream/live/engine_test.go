package live

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/event"
)

// TestEngineEqualsOracle runs random logs through random histories of steps, crashes, lost writes
// and resets, and compares every feature with the oracle.
func TestEngineEqualsOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		epoch := int64(0)
		for range rapid.IntRange(1, 60).Draw(rt, "records") {
			switch rapid.IntRange(0, 12).Draw(rt, "kind") {
			case 0:
				w.mark(epoch + 1)
				epoch++
			case 1:
				w.mark(epoch + rapid.SampledFrom([]int64{0, 2, 7}).Draw(rt, "stray"))
			case 2:
				w.garbage("not an event")
			case 3:
				w.control()
			default:
				if err := w.produce(drawEvent(rt, w.now)); err != nil {
					rt.Fatal(err)
				}
			}
			w.now += event.Millis(rapid.Int64Range(0, 3*hourMs).Draw(rt, "pause"))
		}
		floor := int64(0)
		for steps := 0; int(w.fence.Next) < len(w.records); steps++ {
			n := rapid.IntRange(1, 20).Draw(rt, "batch")
			kind := rapid.IntRange(0, 9).Draw(rt, "fate")
			switch {
			case kind == 0 && len(w.history) > 0 && steps < 40:
				w.lose(rapid.IntRange(1, len(w.history)).Draw(rt, "lost"))
			case kind == 1 && steps < 40:
				w.reset()
			case kind == 2:
				floor = max(floor, rapid.Int64Range(0, epoch).Draw(rt, "floor"))
			}
			if _, err := w.run(n, floor, kind == 3); err != nil {
				rt.Fatal(err)
			}
		}
		for _, at := range []event.Millis{w.now, w.now + 5*hourMs} {
			for cut := w.fence.Base; cut <= epoch+1; cut++ {
				if err := w.check(cut, int64(at)); err != nil {
					rt.Fatal(err)
				}
			}
		}
	})
}

func drawEvent(rt *rapid.T, now event.Millis) event.Event {
	e := event.Event{
		ID:     fmt.Sprint("e", rapid.IntRange(0, 30).Draw(rt, "id")),
		UserID: fmt.Sprint("u", rapid.IntRange(1, 3).Draw(rt, "user")),
		ItemID: fmt.Sprint("i", rapid.IntRange(1, 4).Draw(rt, "item")),
		Type:   rapid.SampledFrom([]string{"view", "purchase", "cart"}).Draw(rt, "type"),
		Time:   now - event.Millis(rapid.SampledFrom([]int64{-4 * minuteMs, 0, minuteMs, hourMs, 30 * hourMs, 8 * dayMs, 40 * dayMs}).Draw(rt, "late")),
	}
	if category := rapid.SampledFrom([]string{"", "shoes", "hats"}).Draw(rt, "category"); category != "" {
		e.Stamp = &event.Stamp{Category: &category}
	}
	return e
}

// TestStatesDoNotDependOnBatches: the same log gives the same states however it is cut into batches.
func TestStatesDoNotDependOnBatches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one, many := newWorld(t), newWorld(t)
		epoch := int64(0)
		for range rapid.IntRange(1, 80).Draw(rt, "records") {
			if rapid.IntRange(0, 20).Draw(rt, "mark") == 0 {
				epoch++
				one.mark(epoch)
				many.mark(epoch)
			}
			e := drawEvent(rt, one.now)
			if err := errors.Join(one.produce(e), many.produce(e)); err != nil {
				rt.Fatal(err)
			}
		}
		if _, err := one.run(1000, 0, false); err != nil {
			rt.Fatal(err)
		}
		for int(many.fence.Next) < len(many.records) {
			if _, err := many.run(rapid.IntRange(1, 9).Draw(rt, "batch"), 0, false); err != nil {
				rt.Fatal(err)
			}
		}
		if same, err := sameStates(one, many); err != nil || one.fence != many.fence || !same {
			rt.Fatalf("fences %+v and %+v, or their states, differ: %v", one.fence, many.fence, err)
		}
	})
}

// TestDeadIdsAreForgotten runs users through more than 128 records with many epochs: the answers follow the
// rule, and a touched state keeps no id that can never match.
func TestDeadIdsAreForgotten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		epoch := int64(0)
		for range rapid.IntRange(150, 300).Draw(rt, "records") {
			if rapid.IntRange(0, 40).Draw(rt, "mark") == 0 {
				epoch++
				w.mark(epoch)
			}
			id := fmt.Sprint("e", rapid.IntRange(0, 150).Draw(rt, "id"))
			if err := w.produce(event.Event{ID: id, UserID: "u1", ItemID: "i1", Type: "view", Time: w.now}); err != nil {
				rt.Fatal(err)
			}
		}
		for int(w.fence.Next) < len(w.records) {
			if _, err := w.run(rapid.IntRange(1, 90).Draw(rt, "batch"), 0, false); err != nil {
				rt.Fatal(err)
			}
		}
		if err := w.check(0, int64(w.now)); err != nil {
			rt.Fatal(err)
		}
	})
	w := newWorld(t)
	produce := func(ids ...string) int {
		for _, id := range ids {
			if err := w.produce(event.Event{ID: id, UserID: "u1", ItemID: "i1", Type: "view", Time: w.now}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.run(1000, 0, false); err != nil {
			t.Fatal(err)
		}
		return len(w.blobs[userSuffix("u1")])
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint("e", i))
	}
	full := produce(many...)
	w.mark(1)
	w.mark(2)
	if after := produce("last"); after > full-600 { // 100 ids had 9 bytes each; the new epoch takes some
		t.Errorf("two epochs later the state has %d bytes, %d before: it keeps dead ids", after, full)
	}
}

func TestPruningChangesNoAnswer(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		late := event.Millis(i) * 7 * hourMs
		if err := w.produce(event.Event{ID: fmt.Sprint(i), UserID: "u1", ItemID: "i1", Type: "view", Time: w.now - late}); err != nil {
			t.Fatal(err)
		}
	}
	batch := w.engine.Judge(Fence{}, w.records)
	apply := func(oldest event.Millis) int {
		result, err := w.engine.Apply(Fence{}, &batch, make([][]byte, len(batch.Touched)), int64(oldest))
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, b := range result.Blobs {
			w.blobs[b.Suffix] = bytes.Clone(b.Value)
			size += len(b.Value)
		}
		return size
	}
	whole, pruned := apply(0), apply(w.now)
	if pruned >= whole {
		t.Errorf("pruned states have %d bytes, whole ones %d", pruned, whole)
	}
	if err := w.check(0, int64(w.now)); err != nil {
		t.Error(err)
	}
}

func TestApplyRefusesStatesAhead(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"e1", "e2"} {
		if err := w.produce(event.Event{ID: id, UserID: "u1", ItemID: "i1", Type: "view", Time: w.now}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.run(2, 0, false); err != nil {
		t.Fatal(err)
	}
	w.fence = Fence{} // a fence that fell behind while the states stayed
	if _, err := w.run(1, 0, false); !errors.Is(err, ErrAhead) {
		t.Errorf("got %v, want ErrAhead", err)
	}
}

func TestJudgeSkipsWhatIsApplied(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		if err := w.produce(event.Event{ID: fmt.Sprint(i), UserID: "u1", ItemID: "i1", Type: "view", Time: w.now}); err != nil {
			t.Fatal(err)
		}
	}
	b := w.engine.Judge(Fence{Next: 3}, w.records)
	if b.Events() != 1 || b.Next.Next != 4 {
		t.Errorf("judged %d events up to %d, want 1 up to 4", b.Events(), b.Next.Next)
	}
}
