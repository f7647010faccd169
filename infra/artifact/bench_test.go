package artifact

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/schemas/model"
)

// large stores and opens a generation of n users with values of about 1 KiB.
func large(tb testing.TB, n int) (*Generation, *bucket.Bucket) {
	tb.Helper()
	b := openBucket(tb)
	m, files := sample(tb)
	w := must(NewView(tb.TempDir(), model.UserViewFile))(tb)
	ids, vectors := make([]string, n), make([]float32, dim*n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%08d", i)
		if err := w.Add([]byte(ids[i]), AppendUser(nil, make([]byte, 700), make([]byte, 16*20))); err != nil {
			tb.Fatal(err)
		}
	}
	view := must(w.Close())(tb)
	m.Counts.Users, m.Files[0] = int64(n), view.File
	files[3] = must(UserVectors(ids, vectors, dim))(tb)
	m.Files[3] = files[3].File
	if err := StoreLocal(tb.Context(), b, m.ID, view); err != nil {
		tb.Fatal(err)
	}
	store(tb, b, m, files[1:])
	return must(Open(tb.Context(), b, m.ID))(tb), b
}

// TestReadsDoNotAllocate holds for what a request reads.
func TestReadsDoNotAllocate(t *testing.T) {
	g, _ := large(t, 100)
	defer g.Close()
	id := fmt.Sprintf("user-%08d", 42)
	for name, read := range map[string]func() (bool, error){
		"user":   func() (bool, error) { _, _, ok, err := g.UserView(id); return ok, err },
		"item":   func() (bool, error) { _, ok, err := g.ItemView("i10"); return ok, err },
		"global": func() (bool, error) { _, ok, err := g.GlobalView(); return ok, err },
		"vector": func() (bool, error) { _, ok := g.UserVector(id); return ok, nil },
	} {
		n := testing.AllocsPerRun(100, func() {
			if ok, err := read(); !ok || err != nil {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkUserView reads random users of a view of 100 MB.
func BenchmarkUserView(b *testing.B) {
	const users = 100_000
	g, _ := large(b, users)
	defer g.Close()
	ids := make([]string, 4096)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%08d", r.IntN(users))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, ok, err := g.UserView(ids[i%len(ids)]); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkOpen opens and verifies a generation with a view of 100 MB.
func BenchmarkOpen(b *testing.B) {
	g, files := large(b, 100_000)
	defer g.Close()
	b.SetBytes(g.Manifest().Files[0].Bytes)
	for b.Loop() {
		o := must(Open(b.Context(), files, g.Manifest().ID))(b)
		if err := o.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
