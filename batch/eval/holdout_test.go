package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/batch/train"
)

// TestHoldoutTakesTheLastItem: item 7 is the last by time and Seq; its earlier view must go too, everything else stays.
func TestHoldoutTakesTheLastItem(t *testing.T) {
	all := []Interaction{
		{User: 4, Item: 7, Weight: 1, Time: 10, Seq: 0},
		{User: 4, Item: 1, Weight: 1, Time: 30, Seq: 1},
		{User: 4, Item: 2, Weight: 1, Time: 20, Seq: 2},
		{User: 4, Item: 7, Weight: 3, Time: 30, Seq: 3},
		{User: 4, Item: 1, Weight: 1, Time: 29, Seq: 4},
		{User: 5, Item: 7, Weight: 1, Time: 99, Seq: 5}, // too short a history
		{User: 6, Item: 3, Weight: 1, Time: 1, Seq: 6},  // always the same item
		{User: 6, Item: 3, Weight: 1, Time: 2, Seq: 7},
		{User: 6, Item: 3, Weight: 1, Time: 3, Seq: 8},
		{User: 6, Item: 3, Weight: 1, Time: 4, Seq: 9},
		{User: 6, Item: 3, Weight: 1, Time: 5, Seq: 10},
	}
	kept, cases, err := Holdout(all, DefaultHoldout(1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Case{{User: 4, Relevant: []int32{7}}}, cases); diff != "" {
		t.Fatalf("cases:\n%s", diff)
	}
	var seqs []int64
	for _, in := range kept {
		seqs = append(seqs, in.Seq)
	}
	if diff := cmp.Diff([]int64{1, 2, 4, 5, 6, 7, 8, 9, 10}, seqs); diff != "" {
		t.Fatalf("kept:\n%s", diff)
	}
}

func TestHoldoutProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 120).Draw(t, "n")
		all := make([]Interaction, n)
		for i := range all {
			all[i] = Interaction{
				User: rapid.Int32Range(0, 9).Draw(t, "user"), Item: rapid.Int32Range(0, 9).Draw(t, "item"),
				Weight: 1, Time: rapid.Int64Range(0, 5).Draw(t, "time"), Seq: int64(i),
			}
		}
		p := DefaultHoldout(rapid.Uint64().Draw(t, "seed"))
		p.Fraction, p.AtMost = rapid.Float64Range(.01, 1).Draw(t, "fraction"), rapid.IntRange(1, 4).Draw(t, "at most")
		before := slices.Clone(all)
		kept, cases, err := Holdout(all, p)
		if err != nil {
			t.Fatal(err)
		}
		_, shuffled, err := Holdout(rapid.Permutation(all).Draw(t, "order"), p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(cases, shuffled); diff != "" {
			t.Fatalf("the order of interactions changes the choice:\n%s", diff)
		}
		if !slices.Equal(all, before) {
			t.Fatal("Holdout changed its input")
		}
		if len(cases) > p.AtMost {
			t.Fatalf("%d cases, at most %d", len(cases), p.AtMost)
		}
		for _, c := range cases {
			left := 0
			for _, in := range kept {
				if in.User == c.User {
					left++
				}
				if in.User == c.User && in.Item == c.Relevant[0] {
					t.Fatalf("user %d's held-out item %d is still in the training data", c.User, in.Item)
				}
			}
			if left == 0 {
				t.Fatalf("nothing is left of user %d", c.User)
			}
		}
	})
}

func TestHoldoutFollowsTheKey(t *testing.T) {
	all := func(shift int32) (out []Interaction) {
		for u := range int32(200) {
			for i := range int32(6) {
				out = append(out, Interaction{User: u + shift, Item: i, Weight: 1, Time: int64(i), Seq: int64(u*6 + i)})
			}
		}
		return out
	}
	chosen := func(shift int32, seed uint64) (ids []int32) {
		p := DefaultHoldout(seed)
		p.Key = func(user int32) uint64 { return UserKey(fmt.Sprint("u", user-shift)) }
		_, cases, err := Holdout(all(shift), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			ids = append(ids, c.User-shift)
		}
		return ids
	}
	first := chosen(0, 1)
	if len(first) != 10 {
		t.Fatalf("%d of 200 users, want 5 %%", len(first))
	}
	if diff := cmp.Diff(first, chosen(33, 1)); diff != "" {
		t.Fatalf("other row numbers, other users:\n%s", diff)
	}
	if slices.Equal(first, chosen(0, 2)) {
		t.Fatal("the seed has no effect")
	}
}

func TestHoldoutParamsAreChecked(t *testing.T) {
	for _, change := range []func(*HoldoutParams){
		func(p *HoldoutParams) { p.Fraction = 0 },
		func(p *HoldoutParams) { p.AtLeast = 1 },
		func(p *HoldoutParams) { p.AtMost = 0 },
	} {
		p := DefaultHoldout(1)
		change(&p)
		if _, _, err := Holdout(nil, p); err == nil || !strings.Contains(err.Error(), "holdout") {
			t.Errorf("%+v: error %v", p, err)
		}
	}
}

// TestModelBeatsPopularity runs the whole protocol on users with a planted taste.
func TestModelBeatsPopularity(t *testing.T) {
	const users, items, groups = 400, 120, 6
	rng := rand.New(rand.NewPCG(3, 5))
	var all []Interaction
	for u := range int32(users) {
		for k := range 25 {
			item := int32(rng.IntN(items))
			if rng.Float64() < .8 {
				item = item/groups*groups + u%groups
			}
			all = append(all, Interaction{User: u, Item: item, Weight: 1, Time: int64(k), Seq: int64(len(all))})
		}
	}
	kept, cases, err := Holdout(all, DefaultHoldout(1))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Matrix(kept, users, items)
	if err != nil {
		t.Fatal(err)
	}
	p := train.Default()
	p.Dim = 8
	model, err := train.Train(t.Context(), m, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := NewFoldInScorer(model.Items, model.Dim, m, p.Row())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compare(t.Context(), scorer, m, cases, []int{10})
	if err != nil {
		t.Fatal(err)
	}
	if model, pop := got.Model.At[0], got.Popularity.At[0]; model.HR < 2*pop.HR || model.HR < .3 {
		t.Fatalf("hit rate %.3f, popularity %.3f", model.HR, pop.HR)
	}
}
