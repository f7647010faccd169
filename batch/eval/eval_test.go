package eval

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/batch/train"
)

var never = float32(math.Inf(-1))

// table scores from a table of users × items.
type table [][]float32

func (t table) Score(user int32, dst []float32) error {
	if t[user] == nil {
		return errors.New("no such user")
	}
	copy(dst, t[user])
	return nil
}

func matrix(t *testing.T, users, items int, pairs ...[2]int32) train.CSR {
	t.Helper()
	var in []Interaction
	for _, p := range pairs {
		in = append(in, Interaction{User: p[0], Item: p[1], Weight: 1})
	}
	m, err := Matrix(in, users, items)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestByHand is computed on paper. User 0 has seen item 0, so the ranking is 1, 2 (a tie, by index), 4, 3; relevant are
// 2 and 4. User 1 has seen 1 and 3 and item 4 is excluded by its score, so the ranking is 2, 0; relevant is 4: a miss.
func TestByHand(t *testing.T) {
	scorer := table{{9, 3, 3, 1, 2}, {1, 9, 5, 9, never}}
	seen := matrix(t, 2, 5, [2]int32{0, 0}, [2]int32{1, 1}, [2]int32{1, 3})
	cases := []Case{{User: 0, Relevant: []int32{2, 4}}, {User: 1, Relevant: []int32{4}}}
	got, err := Evaluate(t.Context(), scorer, seen, cases, []int{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	second, ideal := 1/math.Log2(3), 1+1/math.Log2(3)
	want := Report{Cases: 2, Items: 5, At: []Metrics{
		{K: 1, Coverage: 2. / 5},
		{K: 2, Recall: .25, NDCG: second / ideal / 2, HR: .5, MRR: .25, Coverage: 3. / 5},
		{K: 3, Recall: .5, NDCG: (second + .5) / ideal / 2, HR: .5, MRR: .25, Coverage: 4. / 5},
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Fatalf("(-by hand +got):\n%s", diff)
	}
}

func TestPopularityBaseline(t *testing.T) {
	seen := matrix(t, 3, 4, [2]int32{0, 3}, [2]int32{1, 3}, [2]int32{1, 1}, [2]int32{2, 0})
	cases := []Case{{User: 2, Relevant: []int32{3}}}
	got, err := Compare(t.Context(), table{2: {0, 2, 3, 1}}, seen, cases, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	if got.Model.At[0].HR != 0 || got.Popularity.At[0].HR != 1 {
		t.Fatalf("hit rates %v and %v, want 0 for the model and 1 for popularity", got.Model.At[0].HR, got.Popularity.At[0].HR)
	}
}

// TestBounds: whatever the scores, metrics are fractions, a longer list never has less recall, and a scorer that knows the
// answer is perfect.
func TestBounds(t *testing.T) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		const items = 12
		scores := rapid.SliceOfN(rapid.SampledFrom([]float32{0, 1, 2, 3}), items, items).Draw(t, "scores")
		relevant := rapid.SliceOfNDistinct(rapid.Int32Range(0, items-1), 1, 5, rapid.ID).Draw(t, "relevant")
		slices.Sort(relevant)
		seen, err := Matrix(nil, 1, items)
		if err != nil {
			t.Fatal(err)
		}
		cases := []Case{{Relevant: relevant}}
		got, err := Evaluate(ctx, table{scores}, seen, cases, []int{1, 5, items})
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range got.At {
			for _, v := range []float64{m.Recall, m.NDCG, m.HR, m.MRR, m.Coverage} {
				if !(v >= 0 && v <= 1+1e-12) {
					t.Fatalf("not a fraction: %+v", m)
				}
			}
			if i > 0 && m.Recall < got.At[i-1].Recall {
				t.Fatalf("recall falls with the length: %+v", got.At)
			}
		}
		if last := got.At[2]; last.Recall != 1 || last.Coverage != 1 {
			t.Fatalf("a list of all items: %+v", last)
		}
		for _, r := range relevant {
			scores[r] = 9
		}
		got, err = Evaluate(ctx, table{scores}, seen, cases, []int{5})
		if err != nil {
			t.Fatal(err)
		}
		if m := got.At[0]; m.Recall != 1 || math.Abs(m.NDCG-1) > 1e-12 || m.MRR != 1 {
			t.Fatalf("a perfect scorer is not perfect: %+v", m)
		}
	})
}

func TestEvaluateErrors(t *testing.T) {
	seen := matrix(t, 2, 2)
	good := []Case{{User: 1, Relevant: []int32{0}}}
	for _, tc := range []struct {
		name  string
		s     Scorer
		cases []Case
		ks    []int
		want  string
	}{
		{"nan", table{nil, {1, float32(math.NaN())}}, good, []int{1}, "user row 1: the score of item row 1 is NaN"},
		{"scorer", table{nil, nil}, good, []int{1}, "user row 1: no such user"},
		{"k", table{}, good, []int{5, 0}, "list lengths [5 0]"},
		{"no k", table{}, good, nil, "list lengths []"},
		{"user", table{}, []Case{{User: 2, Relevant: []int32{0}}}, []int{1}, "user row 2"},
		{"nothing relevant", table{}, []Case{{User: 1}}, []int{1}, "0 relevant"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Evaluate(t.Context(), tc.s, seen, tc.cases, tc.ks)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v does not contain %q", err, tc.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Evaluate(ctx, table{nil, {1, 2}}, seen, good, []int{1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if r, err := Evaluate(t.Context(), table{}, seen, nil, []int{1}); err != nil || r.Cases != 0 || r.At[0].Recall != 0 {
		t.Fatalf("no cases: %+v, %v", r, err)
	}
}
