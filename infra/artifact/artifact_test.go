package artifact

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"pgregory.net/rapid"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openBucket(t testing.TB) *bucket.Bucket {
	t.Helper()
	return must(filebucket.Open(t.TempDir()))(t)
}

const dim = 3

// catalogue is a small one, so that the golden bytes do not change with the default.
func catalogue(t testing.TB) feature.Catalogue {
	t.Helper()
	return must(feature.Parse([]byte(`features:
  - {name: views_7d, description: What the user looked at., entity: user, from: {types: [view]}, aggregate: count, window: 7d}
  - {name: buys, entity: item, from: {types: [purchase]}, aggregate: count, window: lifetime}
derived:
  - {name: views_twice, description: Nonsense., entity: user, expr: "2 * views_7d"}
`)))(t)
}

// sample is a generation of two users and three items; states are arbitrary bytes here.
func sample(t testing.TB) (model.Manifest, []Encoded) {
	t.Helper()
	items := []string{"i1", "i10", "i2"}
	catalogue := catalogue(t)
	files := []Encoded{
		must(UserView([]string{"u1", "ü2"}, [][]byte{[]byte("state of u1"), nil}, [][]byte{make([]byte, 16), []byte("16 bytes of row.")}))(t),
		must(ItemView(items, [][]byte{{1}, {2, 2}, {3, 3, 3}}))(t),
		must(GlobalView(feature.GlobalID, []byte("global")))(t),
		must(UserVectors([]string{"u1", "ü2"}, []float32{1, 2, 3, 4, 5, 6}, dim))(t),
		must(ItemVectors(items, []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, dim, []float32{2, 1, 0}))(t),
		Plain(model.MetricsFile, []byte(`{"recall20":0.5}`)),
		Features(catalogue),
		must(RecentView([]string{"ü2"}, [][]byte{[]byte("recent of ü2")}))(t),
	}
	m := model.Manifest{
		Inputs: model.Inputs{CutN: 7, Format: model.Format, Definition: catalogue.Hash()},
		Counts: model.Counts{Users: 2, Items: 3},
	}
	for _, f := range files {
		m.Files = append(m.Files, f.File)
	}
	m.ID = must(m.Inputs.ID())(t)
	return m, files
}

func store(t testing.TB, b *bucket.Bucket, m model.Manifest, files []Encoded) {
	t.Helper()
	for _, f := range files {
		if err := Store(t.Context(), b, m.ID, f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.PutJSONIfAbsent(t.Context(), model.GenerationPrefix(m.ID)+model.ManifestFile, m); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAnswersWhatWasStored(t *testing.T) {
	b := openBucket(t)
	m, files := sample(t)
	store(t, b, m, files)
	through, _ := errbucket.Wrap(b) // which has no paths
	cache := t.TempDir()
	for name, open := range map[string]func() (*Generation, error){
		"mapped":       func() (*Generation, error) { return Open(t.Context(), b, m.ID) },
		"downloaded":   func() (*Generation, error) { return Open(t.Context(), through, m.ID) },
		"cached":       func() (*Generation, error) { return OpenCached(t.Context(), through, m.ID, cache) },
		"cached again": func() (*Generation, error) { return OpenCached(t.Context(), through, m.ID, cache) },
	} {
		t.Run(name, func(t *testing.T) {
			g := must(open())(t)
			defer g.Close()
			checkViews(t, g)
			checkVectors(t, g)
		})
	}
}

func checkViews(t *testing.T, g *Generation) {
	t.Helper()
	if c := g.Features(); c.Hash() != g.Manifest().Inputs.Definition || len(c.Features) == 0 {
		t.Errorf("features %+v", c)
	}
	state, history, ok, err := g.UserView("ü2")
	if err != nil || !ok || len(state) != 0 || string(history) != "16 bytes of row." {
		t.Errorf("view of ü2: %q, %q, %v, %v", state, history, ok, err)
	}
	if state, ok, err := g.ItemView("i2"); err != nil || !ok || !bytes.Equal(state, []byte{3, 3, 3}) {
		t.Errorf("view of i2: %v, %v, %v", state, ok, err)
	}
	if state, ok, err := g.GlobalView(); err != nil || !ok || string(state) != "global" {
		t.Errorf("global view: %q, %v, %v", state, ok, err)
	}
	if ids, ok, err := g.Recent("ü2"); err != nil || !ok || string(ids) != "recent of ü2" {
		t.Errorf("recent ids of ü2: %q, %v, %v", ids, ok, err)
	}
	if _, ok, err := g.Recent("u1"); err != nil || ok {
		t.Errorf("recent ids of u1: %v, %v", ok, err)
	}
	for _, unknown := range []string{"", "u", "u11", "zz"} {
		_, _, ok1, err1 := g.UserView(unknown)
		_, ok2, err2 := g.ItemView(unknown)
		_, ok3 := g.UserVector(unknown)
		if ok1 || ok2 || ok3 || err1 != nil || err2 != nil {
			t.Errorf("%q is known, %v, %v", unknown, err1, err2)
		}
	}
	for name, c := range map[string]struct {
		rows *Iter
		want string
	}{"users": {g.Users(), "u1 ü2 "}, "items": {g.Items(), "i1 i10 i2 "}, "recents": {g.Recents(), "ü2 "}} {
		var got strings.Builder
		for c.rows.Next() {
			fmt.Fprintf(&got, "%s ", c.rows.Key())
		}
		if c.rows.Err() != nil || got.String() != c.want {
			t.Errorf("%s are %q, %v", name, got.String(), c.rows.Err())
		}
	}
}

func checkVectors(t *testing.T, g *Generation) {
	t.Helper()
	if !slices.Equal(g.ItemIDs(), []string{"i1", "i10", "i2"}) {
		t.Errorf("items %v", g.ItemIDs())
	}
	if row, ok := g.ItemRow("i10"); !ok || row != 1 {
		t.Errorf("row of i10: %d, %v", row, ok)
	}
	if v, ok := g.UserVector("ü2"); !ok || !slices.Equal(v, []float32{4, 5, 6}) {
		t.Errorf("vector of ü2: %v, %v", v, ok)
	}
	if v, d := g.ItemVectors(); d != dim || len(v) != 9 || v[4] != 1 {
		t.Errorf("item vectors: %v of dimension %d", v, d)
	}
	if !slices.Equal(g.ItemPopularity(), []float32{2, 1, 0}) {
		t.Errorf("popularity %v", g.ItemPopularity())
	}
}

// TestNotebooksReadTheFiles reads the files with the Arrow library, which knows nothing of the manifest.
func TestNotebooksReadTheFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "rows")
		d := rapid.IntRange(1, 70).Draw(t, "dim")
		ids := make([]string, n)
		vectors, popularity := make([]float32, n*d), make([]float32, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("%05d%s", i, rapid.String().Draw(t, "id"))
			popularity[i] = rapid.Float32().Draw(t, "popularity")
			vectors[i*d] = rapid.Float32().Draw(t, "number")
		}
		e, err := ItemVectors(ids, vectors, d, popularity)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range e.File.Columns {
			if c.Type != model.Utf8 && c.Values.Offset%align != 0 {
				t.Errorf("column %+v is not aligned", c)
			}
		}
		r, err := ipc.NewFileReader(bytes.NewReader(e.Data))
		if err != nil {
			t.Fatal(err)
		}
		if r.NumRecords() != 1 {
			t.Fatalf("%d record batches", r.NumRecords())
		}
		rec, err := r.Record(0)
		if err != nil {
			t.Fatal(err)
		}
		list := rec.Column(0).(*array.FixedSizeList)
		if !slices.Equal(list.ListValues().(*array.Float32).Float32Values(), vectors) ||
			!slices.Equal(rec.Column(1).(*array.Float32).Float32Values(), popularity) {
			t.Error("Arrow reads other numbers")
		}
		table, err := Decode(e.File, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := table.IDs()
		if err != nil {
			t.Fatal(err)
		}
		names := rec.Column(2).(*array.String)
		for i, id := range ids {
			if names.Value(i) != id || got.Text(i) != id {
				t.Errorf("row %d is %q for Arrow and %q here, want %q", i, names.Value(i), got.Text(i), id)
			}
			if at, ok := got.Find(id); !ok || at != i {
				t.Errorf("found %q at %d, %v", id, at, ok)
			}
		}
	})
}

var update = flag.Bool("update", false, "rewrite golden files")

// TestGoldenBytes pins the bytes: a generation is a function of its inputs, on every machine and in every build.
func TestGoldenBytes(t *testing.T) {
	_, files := sample(t)
	var got strings.Builder
	for _, f := range files {
		fmt.Fprintf(&got, "%s %d %s\n", f.File.SHA256, f.File.Bytes, f.File.Name)
	}
	const golden = "testdata/sample.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%swant (rewrite with -update)\n%s", got.String(), want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, encode := range map[string]func() (Encoded, error){
		"unsorted":   func() (Encoded, error) { return ItemView([]string{"b", "a"}, make([][]byte, 2)) },
		"twice":      func() (Encoded, error) { return ItemView([]string{"a", "a"}, make([][]byte, 2)) },
		"lengths":    func() (Encoded, error) { return ItemView([]string{"a", "b"}, make([][]byte, 1)) },
		"histories":  func() (Encoded, error) { return UserView([]string{"a"}, make([][]byte, 1), nil) },
		"columns":    func() (Encoded, error) { return UserVectors([]string{"b", "a"}, make([]float32, 4), 2) },
		"dimension":  func() (Encoded, error) { return UserVectors([]string{"a", "b"}, make([]float32, 5), 2) },
		"no rows":    func() (Encoded, error) { return UserVectors(nil, nil, 2) },
		"popularity": func() (Encoded, error) { return ItemVectors([]string{"a"}, make([]float32, 2), 2, nil) },
	} {
		if _, err := encode(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
