package live

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// visitors makes an event of each of n users of a kind, and of an item of their own.
func visitors(kind string, n int) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = event.Event{
			ID: fmt.Sprint(kind, i), UserID: fmt.Sprint(kind, i), ItemID: fmt.Sprint("of-", kind, i), Type: "view", Time: event.MillisOf(time.Now()),
		}
	}
	return out
}

// suffixes returns what Redis holds of the partition's incarnation. All that belongs to the index of an epoch is one of them.
func (s *system) suffixes() []string {
	out := map[string]bool{}
	prefix := s.keys(0).State(s.incarnation())
	for key := range s.dump(0) {
		suffix, ours := strings.CutPrefix(key, prefix)
		if epoch, index := strings.CutPrefix(suffix, "x:"); index {
			epoch, _, _ = strings.Cut(epoch, ":")
			suffix = "x:" + epoch
		}
		if ours {
			out[suffix] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// awaitSuffixes waits until Redis holds these, and what it always does.
func (s *system) awaitSuffixes(want ...string) {
	s.t.Helper()
	want = append(want, "g", "x", "x:2")
	slices.Sort(want)
	s.await(fmt.Sprint(want), func() bool { return slices.Equal(s.suffixes(), want) })
}

// TestIdleStatesAreTrimmed: when the floor has risen, states that nobody has touched since are deleted, with their
// index; but not while the duplicate rule needs their ids, and those that are touched later stay.
func TestIdleStatesAreTrimmed(t *testing.T) {
	s := newSystem(t, 1)
	idle := visitors("idle", trimSlice+9)
	s.produce(idle...)
	s.produce(visitors("regular", 3)...)
	s.mark()
	s.produce(visitors("recent", 2)...)
	s.start(s.config(s.redis))
	s.awaitCaughtUp()
	before := len(s.suffixes())
	if want := 2*(len(idle)+3+2) + 1 + 3; before != want {
		t.Fatalf("Redis holds %d keys, want %d: states of users and items, the global one, two indexes and their list", before, want)
	}
	s.raiseFloor(1)
	s.await("the base to rise", func() bool { f, _ := s.fences(); return f[0].Base == 1 })
	s.produce(idle[0]) // the same event again, one epoch later: a duplicate still
	s.produce(visitors("regular", 1)...)
	s.awaitCaughtUp()
	if now := len(s.suffixes()); now != before {
		t.Errorf("Redis holds %d keys after %d, though the ids of the preceding epoch are needed", now, before)
	}

	s.mark()
	s.produce(visitors("late", 1)...)
	s.raiseFloor(2)
	s.awaitSuffixes("i:of-late0", "i:of-recent0", "i:of-recent1", "u:idle0", "u:late0", "u:recent0", "u:recent1", "u:regular0", "x:1")
	s.check(2)
	s.mark()
	s.produce(visitors("late", 1)...)
	s.awaitSuffixes("i:of-late0", "u:late0", "x:3")
}
