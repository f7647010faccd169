package train

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/infra/simd"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world draws interactions of users who prefer one of a few groups of items, with popular and unpopular items.
func world(tb testing.TB, users, items, perUser int) CSR {
	tb.Helper()
	const groups = 8
	rng := rand.New(rand.NewPCG(7, 11))
	var triples []Triple
	for u := range users {
		for range perUser {
			i := int(float64(items) * math.Pow(rng.Float64(), 1.7))
			if rng.Float64() < .7 {
				i = min(i/groups*groups+u%groups, items-1)
			}
			triples = append(triples, Triple{int32(u), int32(i), float32(1 + rng.IntN(3))})
		}
	}
	m, err := NewCSR(users, items, triples)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func small() Params {
	p := Default()
	p.Dim, p.Epochs, p.Threads = 8, 5, 2
	return p
}

func mustTrain(t *testing.T, m CSR, p Params, progress func(Epoch)) Model {
	t.Helper()
	model, err := Train(t.Context(), m, p, progress)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestLossFalls(t *testing.T) {
	var losses []float64
	mustTrain(t, world(t, 300, 120, 20), small(), func(e Epoch) {
		if e.Number != len(losses)+1 || e.Of != 5 {
			t.Errorf("epoch %d of %d reported after %d others", e.Number, e.Of, len(losses))
		}
		losses = append(losses, e.Loss)
	})
	if len(losses) != 5 {
		t.Fatalf("%d epochs reported, want 5", len(losses))
	}
	for i := 1; i < len(losses); i++ {
		if !(losses[i] < losses[i-1]*(1+1e-6)) {
			t.Fatalf("exact half-steps cannot raise the loss: %v", losses)
		}
	}
}

// TestLossIsTheObjective compares the Gram-matrix form with a loop over all pairs.
func TestLossIsTheObjective(t *testing.T) {
	m, p := world(t, 60, 30, 6), small()
	p.Epochs, p.Nu = 1, .5
	tr := &trainer{p: p, users: m, items: m.Transpose()}
	tr.model = Model{Users: make([]float32, m.Rows*p.Dim), Items: initial(m.Cols, p.Dim, 3), Dim: p.Dim}
	if err := errors.Join(tr.sumItems(), tr.epoch(t.Context())); err != nil {
		t.Fatal(err)
	}
	d, counts := p.Dim, make([]int, m.Cols)
	var want float64
	for u := range m.Rows {
		x := tr.model.Users[u*d : u*d+d]
		cols, vals := m.Row(u)
		for i := range m.Cols {
			y := float64(simd.Dot(x, tr.model.Items[i*d:i*d+d]))
			want += p.Alpha0 * y * y
			if k, ok := slices.BinarySearch(cols, int32(i)); ok {
				want += float64(vals[k]) * (y - 1) * (y - 1)
				counts[i]++
			}
		}
		want += p.Lambda * math.Sqrt(float64(len(cols))+p.Alpha0*float64(m.Cols)) * float64(simd.Dot(x, x))
	}
	for i, n := range counts {
		h := tr.model.Items[i*d : i*d+d]
		want += p.Lambda * math.Sqrt(float64(n)+p.Alpha0*float64(m.Rows)) * float64(simd.Dot(h, h))
	}
	if got := tr.loss(); math.Abs(got-want) > 1e-4*want {
		t.Fatalf("loss = %v, want %v", got, want)
	}
}

func TestThreadsDoNotChangeABit(t *testing.T) {
	m, p := world(t, 700, 150, 15), small()
	var want uint64
	for _, threads := range []int{1, 2, 3, 8} {
		p.Threads = threads
		model := mustTrain(t, m, p, nil)
		h := fnv.New64a()
		for _, side := range [][]float32{model.Users, model.Items} {
			for _, v := range side {
				fmt.Fprintf(h, "%08x", math.Float32bits(v))
			}
		}
		if threads == 1 {
			want = h.Sum64()
		} else if got := h.Sum64(); got != want {
			t.Fatalf("%d threads give other bytes than one: %x, %x", threads, got, want)
		}
	}
	p.Seed++
	if other := mustTrain(t, m, p, nil); other.Items[0] == mustTrain(t, m, small(), nil).Items[0] {
		t.Fatal("the seed has no effect")
	}
}

// TestFoldInIsTheUserStep is the promise that serving rests on.
func TestFoldInIsTheUserStep(t *testing.T) {
	m, p := world(t, 200, 90, 12), small()
	model := mustTrain(t, m, p, nil)
	gram, err := rowsolve.NewGram(model.Items, p.Dim, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := SolveUsers(t.Context(), m, model.Items, p)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float32, p.Dim)
	for u := range m.Rows {
		items, weights := m.Row(u)
		if err := rowsolve.FoldIn(model.Items, gram, items, weights, p.Row(), dst); err != nil {
			t.Fatal(err)
		}
		trained := model.Users[u*p.Dim : (u+1)*p.Dim]
		if !slices.Equal(dst, trained) || !slices.Equal(again[u*p.Dim:(u+1)*p.Dim], trained) {
			t.Fatalf("user %d: folded in %v, trained %v", u, dst, trained)
		}
	}
}

// TestLearnsTheGroups: users of a group must score unseen items of their own group above the others'.
func TestLearnsTheGroups(t *testing.T) {
	m, p := world(t, 400, 160, 20), small()
	model := mustTrain(t, m, p, nil)
	var own, other float64
	var owns, others int
	for u := range m.Rows {
		seen, _ := m.Row(u)
		for i := range m.Cols {
			if _, ok := slices.BinarySearch(seen, int32(i)); ok {
				continue
			}
			y := float64(simd.Dot(model.Users[u*p.Dim:(u+1)*p.Dim], model.Items[i*p.Dim:(i+1)*p.Dim]))
			if i%8 == u%8 {
				own, owns = own+y, owns+1
			} else {
				other, others = other+y, others+1
			}
		}
	}
	if own, other := own/float64(owns), other/float64(others); own < 3*other || own < .1 {
		t.Fatalf("mean score of unseen items: own group %.3f, others %.3f", own, other)
	}
}

func TestTrainingErrorsNameTheRow(t *testing.T) {
	m := world(t, 300, 40, 8)
	p := small()

	bad := m
	bad.Val = slices.Clone(m.Val)
	bad.Val[m.Ptr[17]] = float32(math.NaN())
	if _, err := Train(t.Context(), bad, p, nil); err == nil || !strings.Contains(err.Error(), "row 17") {
		t.Errorf("NaN in row 17: error %v", err)
	}

	// All item vectors 0 and no regularisation: every user's system is singular; the first must be named.
	p.Alpha0, p.Lambda = 0, 0
	for range 5 {
		_, err := SolveUsers(t.Context(), m, make([]float32, m.Cols*p.Dim), p)
		if !errors.Is(err, rowsolve.ErrSingular) || !strings.Contains(err.Error(), "user row 0 ") {
			t.Fatalf("singular rows: error %v", err)
		}
	}

	items := initial(m.Cols, p.Dim, 1)
	items[5*p.Dim] = float32(math.Inf(-1))
	if _, err := SolveUsers(t.Context(), m, items, p); err == nil || !strings.Contains(err.Error(), "factor row 5") {
		t.Errorf("Inf in item 5: error %v", err)
	}
	if _, err := Train(t.Context(), CSR{Rows: 1, Cols: 1, Ptr: []int64{0, 0}}, small(), nil); err == nil {
		t.Error("trained on nothing")
	}
}

func TestCancellationStopsTraining(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Train(ctx, world(t, 300, 60, 8), small(), func(e Epoch) {
		if e.Number == 2 {
			cancel()
		}
		if e.Number > 2 {
			t.Error("training went on")
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
}

func TestParamsValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Params){
		"dim":     func(p *Params) { p.Dim = 0 },
		"epochs":  func(p *Params) { p.Epochs = MaxEpochs + 1 },
		"threads": func(p *Params) { p.Threads = -1 },
		"lambda":  func(p *Params) { p.Lambda = math.Inf(1) },
	} {
		p := Default()
		change(&p)
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestInitialVectorsHaveTheirSpread(t *testing.T) {
	const dim = 16
	v := initial(4000, dim, 42)
	var sum, squares float64
	for _, x := range v {
		sum, squares = sum+float64(x), squares+float64(x)*float64(x)
	}
	n, want := float64(len(v)), .1/math.Sqrt(dim)
	if mean, std := sum/n, math.Sqrt(squares/n); math.Abs(mean) > want/50 || math.Abs(std-want) > want/50 {
		t.Fatalf("mean %v and deviation %v, want 0 and %v", mean, std, want)
	}
}

// BenchmarkTrain is the size of the built-in shop: 5,000 users, 2,000 items, about 350,000 entries.
func BenchmarkTrain(b *testing.B) {
	m := world(b, 5000, 2000, 78)
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			p := Default()
			p.Threads = threads
			for b.Loop() {
				if _, err := Train(b.Context(), m, p, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(m.NNZ()), "nnz")
		})
	}
}
