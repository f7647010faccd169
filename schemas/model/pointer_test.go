package model

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/api"
	"pgregory.net/rapid"
)

// TestPointerInvariants publishes, rolls back and promotes at random. Whatever happens, the floor never falls, is
// at or below everything retained, and what is current is retained; a publish keeps the way back open.
func TestPointerInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p Pointer
		for n := range int64(rapid.IntRange(1, 30).Draw(t, "steps")) {
			before := p
			retain := rapid.IntRange(0, 4).Draw(t, "retain")
			cut := rapid.Int64Range(0, n+2).Draw(t, "cut")
			id := fmt.Sprintf("g%d-%d", cut, n)
			next, err := p.Publish(Retained{ID: id, CutN: cut}, retain, "nonce")
			if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				target := ""
				if len(p.Retained) > 0 && rapid.Bool().Draw(t, "named") {
					target = rapid.SampledFrom(p.Retained).Draw(t, "to").ID
				}
				next, err = p.MoveTo(target, "nonce")
				id = ""
			}
			if err != nil {
				continue
			}
			p = next
			checkPointer(t, before, p, id, max(retain, 1))
		}
	})
}

func checkPointer(t *rapid.T, before, p Pointer, published string, retain int) {
	if p.Floor < before.Floor {
		t.Fatalf("the floor fell from %+v to %+v", before, p)
	}
	if !slices.IsSortedFunc(p.Retained, func(a, b Retained) int { return int(a.CutN - b.CutN) }) || p.Retained[0].CutN < p.Floor {
		t.Fatalf("retained generations are not in order above the floor: %+v", p)
	}
	if !slices.Contains(p.ids(), p.Current) {
		t.Fatalf("what is current is not retained: %+v", p)
	}
	if published == "" || p.Sequence == before.Sequence {
		return
	}
	if p.Current != published || p.Sequence != before.Sequence+1 || len(p.Retained) > retain {
		t.Fatalf("after publishing %s with %d retained: %+v", published, retain, p)
	}
	if retain > 1 && before.Current != "" && !slices.Contains(p.ids(), before.Current) {
		t.Fatalf("no way back from %s to %s: %+v", published, before.Current, p)
	}
}

func TestPublishRefuses(t *testing.T) {
	p := Pointer{Sequence: 4, Current: "b", Retained: []Retained{{"b", 5}, {"c", 7}}, Floor: 5}
	for name, c := range map[string]struct {
		r    Retained
		want api.Code
	}{
		"same cut":               {Retained{"x", 5}, api.Superseded},
		"older":                  {Retained{"x", 4}, api.Superseded},
		"current":                {Retained{"b", 5}, ""},
		"above":                  {Retained{"x", 6}, ""},
		"of a rolled-back cut":   {Retained{"x", 7}, ""},
		"what was rolled back":   {Retained{"c", 7}, ""},
		"above what was dropped": {Retained{"x", 9}, ""},
	} {
		if _, err := p.Publish(c.r, 2, "n"); api.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want code %q", name, err, c.want)
		}
	}
	empty := Pointer{Floor: 3}
	if _, err := empty.Publish(Retained{"x", 2}, 2, "n"); api.CodeOf(err) != api.Superseded {
		t.Errorf("below the floor: %v", err)
	}
}

// TestPublishAfterRollback keeps the good old generation, not the bad one that was rolled back from.
func TestPublishAfterRollback(t *testing.T) {
	p := Pointer{Sequence: 3, Current: "good", Retained: []Retained{{"good", 5}, {"bad", 6}}, Floor: 5}
	next, err := p.Publish(Retained{"new", 7}, 2, "n")
	if err != nil || !slices.Equal(next.ids(), []string{"good", "new"}) || next.Floor != 5 {
		t.Errorf("%+v, %v", next, err)
	}
}

func TestMoveTo(t *testing.T) {
	p := Pointer{Sequence: 3, Nonce: "old", Current: "b", Retained: []Retained{{"a", 5}, {"b", 6}, {"c", 7}}, Floor: 5}
	for _, c := range []struct {
		to, want string
		sequence int64
		code     api.Code
	}{
		{"", "a", 4, ""},
		{"c", "c", 4, ""},
		{"b", "b", 3, ""}, // it is there already
		{"gone", "", 0, api.NotFound},
	} {
		next, err := p.MoveTo(c.to, "n")
		if api.CodeOf(err) != c.code || next.Current != c.want || next.Sequence != c.sequence {
			t.Errorf("to %q: %+v, %v", c.to, next, err)
		}
	}
	for _, none := range []Pointer{{}, {Current: "a", Retained: []Retained{{"a", 5}}}} {
		if _, err := none.MoveTo("", "n"); api.CodeOf(err) != api.NotFound {
			t.Errorf("roll back of %+v: %v", none, err)
		}
	}
}
