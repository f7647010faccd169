package shop

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/schemas/event"
)

func take(t testing.TB, s *Shop, c LiveConfig, n int) []event.Event {
	t.Helper()
	live, err := s.Live(c)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]event.Event, 0, n)
	for e := range live {
		if out = append(out, e); len(out) == n {
			break
		}
	}
	return out
}

// TestLiveRate checks that the stream keeps its rate from its first second on, slow or fast.
func TestLiveRate(t *testing.T) {
	s := open(t, Default(end))
	for _, rate := range []float64{2, 20, 500, 20_000} {
		const n = 30_000
		events := take(t, s, LiveConfig{From: end, Rate: rate, Run: "r"}, n)
		if !slices.IsSortedFunc(events, func(a, b event.Event) int { return int(a.Time - b.Time) }) {
			t.Errorf("rate %v: not in time order", rate)
		}
		from := event.MillisOf(end)
		for _, part := range []int{n / 10, n} {
			got := float64(part) / (float64(events[part-1].Time-from) / 1000)
			if math.Abs(got/rate-1) > 0.15 {
				t.Errorf("rate %v: the first %d events come at %.1f a second", rate, part, got)
			}
		}
		if events[0].Time < from {
			t.Errorf("rate %v: begins at %s", rate, events[0].Time)
		}
	}
}

// TestLiveRepeats checks that a run depends on its config alone and that another run's events have
// other ids but do the same.
func TestLiveRepeats(t *testing.T) {
	s := open(t, small())
	c := LiveConfig{From: s.End(), Rate: 10, Run: "a"}
	a := take(t, s, c, 2000)
	if d := cmp.Diff(a, take(t, open(t, small()), c, 2000)); d != "" {
		t.Fatal(d)
	}
	c.Run = "b"
	seen := map[string]bool{}
	for e := range s.History() {
		seen[e.ID] = true
	}
	b := take(t, s, c, 2000)
	for i := range a {
		if seen[a[i].ID] || seen[b[i].ID] || a[i].ID == b[i].ID {
			t.Fatalf("id %s or %s twice", a[i].ID, b[i].ID)
		}
		seen[a[i].ID], seen[b[i].ID] = true, true
		if a[i].UserID != b[i].UserID || a[i].ItemID != b[i].ItemID || a[i].Time != b[i].Time {
			t.Fatalf("event %d differs: %v %v", i, a[i], b[i])
		}
	}
	c.Offset = 1_000_000
	other, same := take(t, s, c, 2000), 0
	for i := range other {
		if other[i].UserID == b[i].UserID && other[i].ItemID == b[i].ItemID {
			same++
		}
	}
	if same > 100 {
		t.Errorf("another offset repeats %d of 2000 events", same)
	}
}

func TestLiveIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := small()
		c.Users, c.Items, c.Seed = rapid.IntRange(1, 40).Draw(t, "users"), rapid.IntRange(1, 60).Draw(t, "items"), rapid.Uint64().Draw(t, "seed")
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		from := s.Start().Add(time.Duration(rapid.IntRange(0, 20*86_400).Draw(t, "from")) * time.Second)
		live, err := s.Live(LiveConfig{From: from, Rate: rapid.Float64Range(0.01, 10_000).Draw(t, "rate"), Run: "x"})
		if err != nil {
			t.Fatal(err)
		}
		n, last := 0, event.MillisOf(from)
		for e := range live {
			if rej := e.Check(); rej != nil {
				t.Fatal(rej)
			}
			if e.Time < last {
				t.Fatalf("%s after %s", e.Time, last)
			}
			if last = e.Time; n == 200 {
				break
			}
			n++
		}
	})
}

func TestLiveRefuses(t *testing.T) {
	s := open(t, small())
	for says, c := range map[string]LiveConfig{
		"rate is 0":   {From: end, Run: "a"},
		"rate is NaN": {From: end, Run: "a", Rate: math.NaN()},
		"run is \"\"": {From: end, Rate: 1},
		"a b":         {From: end, Rate: 1, Run: "a b"},
		"opens on":    {From: end.AddDate(-1, 0, 0), Rate: 1, Run: "a"},
	} {
		if _, err := s.Live(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error with %q", err, says)
		}
	}
}
