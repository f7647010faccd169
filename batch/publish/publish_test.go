package publish_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var nonces atomic.Int64

func publisher(b *bucket.Bucket) publish.Publisher {
	return publish.Publisher{Bucket: b, Nonce: func() string { return fmt.Sprint("nonce ", nonces.Add(1)) }}
}

func open(t testing.TB) *bucket.Bucket {
	t.Helper()
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// store puts a small generation of cut n; seed makes it another one of the same cut.
func store(t testing.TB, b *bucket.Bucket, n int64, seed uint64) model.Manifest {
	t.Helper()
	m := model.Manifest{Counts: model.Counts{Users: 1, Items: 1}}
	catalogue, err := feature.Default()
	if err != nil {
		t.Fatal(err)
	}
	m.Inputs = model.Inputs{CutN: n, Format: model.Format, Definition: catalogue.Hash(), Train: model.TrainParams{Seed: seed}}
	if m.ID, err = m.Inputs.ID(); err != nil {
		t.Fatal(err)
	}
	one := [][]byte{{1}}
	for _, encode := range []func() (artifact.Encoded, error){
		func() (artifact.Encoded, error) { return artifact.Features(catalogue), nil },
		func() (artifact.Encoded, error) { return artifact.RecentView([]string{"u"}, one) },
		func() (artifact.Encoded, error) { return artifact.UserView([]string{"u"}, one, one) },
		func() (artifact.Encoded, error) { return artifact.ItemView([]string{"i"}, one) },
		func() (artifact.Encoded, error) { return artifact.GlobalView(feature.GlobalID, one[0]) },
		func() (artifact.Encoded, error) { return artifact.UserVectors([]string{"u"}, []float32{1}, 1) },
		func() (artifact.Encoded, error) {
			return artifact.ItemVectors([]string{"i"}, []float32{1}, 1, []float32{1})
		},
	} {
		f, err := encode()
		if err == nil {
			err = artifact.Store(context.Background(), b, m.ID, f)
		}
		if err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, f.File)
	}
	if _, err := publish.Store(context.Background(), b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExactlyOneWins lets 16 writers publish different generations of one cut, round after round. In
// every round one wins, which is one step of the pointer, and the others learn that they lost.
func TestExactlyOneWins(t *testing.T) {
	const writers, rounds = 16, 3
	b := open(t)
	winners := map[int64]string{}
	for round := range int64(rounds) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		won := 0
		for i := range uint64(writers) {
			m := store(t, b, round+1, i)
			wg.Go(func() {
				p, err := publisher(b).Publish(context.Background(), m)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && winners[p.Sequence] != "":
					t.Errorf("sequence %d was won by %s and %s", p.Sequence, winners[p.Sequence], m.ID)
				case err == nil:
					winners[p.Sequence] = m.ID
					won++
				case api.CodeOf(err) != api.Superseded:
					t.Errorf("a loser got %v", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("round %d: %d winners of one cut", round, won)
		}
	}
	at, _, err := artifact.ReadPointer(t.Context(), b)
	if err != nil || at.Sequence != rounds || at.Current != winners[rounds] {
		t.Errorf("pointer %+v, %v; winners %v", at, err, winners)
	}
}

func TestRollbackAndPromote(t *testing.T) {
	b, ctx := open(t), t.Context()
	p := publisher(b)
	if _, err := p.Rollback(ctx, ""); api.CodeOf(err) != api.NotFound {
		t.Errorf("rollback before the first generation: %v", err)
	}
	one, two := store(t, b, 1, 0), store(t, b, 2, 0)
	for _, m := range []model.Manifest{one, two} {
		if _, err := p.Publish(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		name string
		do   func() (model.Pointer, error)
		want string
		code api.Code
	}{
		{"back", func() (model.Pointer, error) { return p.Rollback(ctx, "") }, one.ID, ""},
		{"back once more", func() (model.Pointer, error) { return p.Rollback(ctx, "") }, one.ID, api.NotFound},
		{"publish again", func() (model.Pointer, error) { return p.Publish(ctx, two) }, one.ID, ""},
		{"forth", func() (model.Pointer, error) { return p.Promote(ctx, two.ID) }, two.ID, ""},
		{"forth twice", func() (model.Pointer, error) { return p.Promote(ctx, two.ID) }, two.ID, ""},
		{"unknown", func() (model.Pointer, error) { return p.Promote(ctx, "g000009-x") }, two.ID, api.NotFound},
		{"nothing named", func() (model.Pointer, error) { return p.Promote(ctx, "") }, two.ID, api.Invalid},
	}
	for _, s := range steps {
		if _, err := s.do(); api.CodeOf(err) != s.code {
			t.Errorf("%s: %v, want code %q", s.name, err, s.code)
		}
		if at, _, err := artifact.ReadPointer(ctx, b); err != nil || at.Current != s.want {
			t.Errorf("%s: current %s, %v; want %s", s.name, at.Current, err, s.want)
		}
	}
	list, err := publish.List(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprint(e.Manifest.ID, " ", e.Current, " ", e.Retained))
	}
	if diff := cmp.Diff([]string{one.ID + " false true", two.ID + " true true"}, got); diff != "" {
		t.Error(diff)
	}
	if m, err := publish.Show(ctx, b, ""); err != nil || m.ID != two.ID {
		t.Errorf("current is %s, %v", m.ID, err)
	}
	if _, err := publish.Show(ctx, open(t), ""); api.CodeOf(err) != api.NotFound {
		t.Errorf("show of nothing: %v", err)
	}
}

// TestDamagedGenerationIsNotServed damages the older generation: the rollback must refuse and move nothing.
func TestDamagedGenerationIsNotServed(t *testing.T) {
	b, ctx := open(t), t.Context()
	p := publisher(b)
	one, two := store(t, b, 1, 0), store(t, b, 2, 0)
	for _, m := range []model.Manifest{one, two} {
		if _, err := p.Publish(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Put(ctx, model.GenerationPrefix(one.ID)+model.UserViewFile, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Rollback(ctx, ""); err == nil || !strings.Contains(err.Error(), model.UserViewFile) {
		t.Errorf("rollback: %v", err)
	}
	if at, _, err := artifact.ReadPointer(ctx, b); err != nil || at.Current != two.ID {
		t.Errorf("pointer %+v, %v", at, err)
	}
}

// TestLostAnswer lets the swap happen and its answer get lost, and then the swap fail.
func TestLostAnswer(t *testing.T) {
	for effect, want := range map[errbucket.Effect]bool{errbucket.FailAfter: true, errbucket.Fail: false} {
		b := open(t)
		m := store(t, b, 1, 0)
		faulty, _ := errbucket.Wrap(b, errbucket.Fault{Match: errbucket.Writes(model.PointerKey), Effect: effect})
		_, err := publisher(faulty).Publish(t.Context(), m)
		at, _, err2 := artifact.ReadPointer(t.Context(), b)
		if err2 != nil || (err == nil) != want || (at.Current == m.ID) != want {
			t.Errorf("effect %d: %v, pointer %+v", effect, err, at)
		}
	}
}
