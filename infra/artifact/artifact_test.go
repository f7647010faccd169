package artifact

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/schemas/api"
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

func openBucket(t *testing.T) *bucket.Bucket {
	t.Helper()
	return must(filebucket.Open(t.TempDir()))(t)
}

const dim = 3

// sample is a generation of two users and three items; states are arbitrary bytes here.
func sample(t testing.TB) (model.Manifest, []Encoded) {
	t.Helper()
	items := []string{"i1", "i10", "i2"}
	metrics := Plain(model.MetricsFile, []byte(`{"recall20":0.5}`))
	files := []Encoded{
		must(UserView([]string{"u1", "ü2"}, [][]byte{[]byte("state of u1"), nil}, [][]byte{make([]byte, 16), []byte("16 bytes of row.")}))(t),
		must(ItemView(items, [][]byte{{1}, {2, 2}, {3, 3, 3}}))(t),
		must(GlobalView(feature.GlobalID, []byte("global")))(t),
		must(UserVectors([]string{"u1", "ü2"}, []float32{1, 2, 3, 4, 5, 6}, dim))(t),
		must(ItemVectors(items, []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, dim, []float32{2, 1, 0}))(t),
		metrics,
	}
	m := model.Manifest{
		Inputs: model.Inputs{CutN: 7, Format: model.Format},
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
	g := must(Open(t.Context(), b, m.ID))(t)
	if g.Users() != 2 || g.Manifest().ID != m.ID || !slices.Equal(g.ItemIDs(), []string{"i1", "i10", "i2"}) {
		t.Errorf("users %d, id %s, items %v", g.Users(), g.Manifest().ID, g.ItemIDs())
	}
	state, history, ok := g.UserView("ü2")
	if !ok || len(state) != 0 || string(history) != "16 bytes of row." {
		t.Errorf("view of ü2: %q, %q, %v", state, history, ok)
	}
	if state, ok := g.ItemView("i2"); !ok || !bytes.Equal(state, []byte{3, 3, 3}) {
		t.Errorf("view of i2: %v, %v", state, ok)
	}
	if row, ok := g.ItemRow("i10"); !ok || row != 1 {
		t.Errorf("row of i10: %d, %v", row, ok)
	}
	if state, ok := g.GlobalView(); !ok || string(state) != "global" {
		t.Errorf("global view: %q, %v", state, ok)
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
	for _, unknown := range []string{"", "u", "u11", "zz"} {
		_, _, ok1 := g.UserView(unknown)
		_, ok2 := g.UserVector(unknown)
		_, ok3 := g.ItemView(unknown)
		if ok1 || ok2 || ok3 {
			t.Errorf("%q is known", unknown)
		}
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
		"dimension":  func() (Encoded, error) { return UserVectors([]string{"a", "b"}, make([]float32, 5), 2) },
		"no rows":    func() (Encoded, error) { return ItemView(nil, nil) },
		"popularity": func() (Encoded, error) { return ItemVectors([]string{"a"}, make([]float32, 2), 2, nil) },
	} {
		if _, err := encode(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestDamageIsNamed flips a bit, and cuts the end off, in every file of a generation.
func TestDamageIsNamed(t *testing.T) {
	clean := openBucket(t)
	m, files := sample(t)
	store(t, clean, m, files)
	for _, f := range files {
		for _, effect := range []errbucket.Effect{errbucket.Corrupt, errbucket.Truncate} {
			b, _ := errbucket.Wrap(clean, errbucket.Fault{Match: errbucket.Reads(model.GenerationPrefix(m.ID) + f.File.Name), Effect: effect})
			_, err := Open(t.Context(), b, m.ID)
			if err == nil || !strings.Contains(err.Error(), f.File.Name) || !strings.Contains(err.Error(), "rollback") {
				t.Errorf("%s, effect %d: %v", f.File.Name, effect, err)
			}
		}
	}
}

func TestOpenRefusesManifestsThatLie(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*model.Manifest)
		want   string
	}{
		"users":    {func(m *model.Manifest) { m.Counts.Users = 3 }, "views/user.arrow has 2 rows"},
		"items":    {func(m *model.Manifest) { m.Counts.Items = 2 }, "views/item.arrow has 3 rows"},
		"missing":  {func(m *model.Manifest) { m.Files = m.Files[1:] }, "lists no views/user.arrow"},
		"inputs":   {func(m *model.Manifest) { m.Inputs.Validator = 9 }, "it is damaged"},
		"rows":     {func(m *model.Manifest) { m.Files[0].Rows = 1 << 40 }, "views/user.arrow"},
		"negative": {func(m *model.Manifest) { m.Files[3].Rows = -1 }, "vectors/user.arrow"},
		"span":     {func(m *model.Manifest) { m.Files[1].Columns[0].Values.Offset = 1 << 62 }, "column id"},
		"overflow": {func(m *model.Manifest) { m.Files[1].Columns[0].Values = model.Span{Offset: 64, Bytes: 1<<63 - 1} }, "column id"},
		"type":     {func(m *model.Manifest) { m.Files[1].Columns[0].Type = model.Float32 }, "column id"},
		"dim":      {func(m *model.Manifest) { m.Files[4].Columns[0].Dim = 0 }, "column vector"},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBucket(t)
			m, files := sample(t)
			c.change(&m)
			store(t, b, m, files)
			if _, err := Open(t.Context(), b, m.ID); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestOpenMissing(t *testing.T) {
	for _, id := range []string{"g000001-0000000000", "", "../x", strings.Repeat("x", 3000)} {
		if _, err := Open(t.Context(), openBucket(t), id); api.CodeOf(err) != api.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestDecodeNeverPanics lets the manifest's layout be anything.
func TestDecodeNeverPanics(t *testing.T) {
	_, files := sample(t)
	span := rapid.Custom(func(t *rapid.T) model.Span {
		return model.Span{Offset: rapid.Int64Range(-1, 40).Draw(t, "offset") * align, Bytes: rapid.Int64Range(-4, 2000).Draw(t, "bytes")}
	})
	rapid.Check(t, func(t *rapid.T) {
		e := files[rapid.IntRange(0, 4).Draw(t, "file")]
		f := e.File
		f.Rows = rapid.Int64Range(-1, 8).Draw(t, "rows")
		f.Columns = slices.Clone(f.Columns)
		for i := range f.Columns {
			f.Columns[i].Values, f.Columns[i].Offsets = span.Draw(t, "values"), span.Draw(t, "offsets")
			f.Columns[i].Dim = rapid.IntRange(-1, 5).Draw(t, "dim")
		}
		table, err := Decode(f, e.Data)
		if err != nil {
			return
		}
		if ids, err := table.IDs(); err == nil {
			_ = ids.Texts()
			_, _ = ids.Find("i1")
		}
		_, _, _ = table.Floats("vector")
	})
}

func TestStoreNeverReplaces(t *testing.T) {
	ctx, b := context.Background(), openBucket(t)
	e := Plain(model.MetricsFile, []byte("{}"))
	for range 2 {
		if err := Store(ctx, b, "g", e); err != nil {
			t.Fatal(err)
		}
	}
	err := Store(ctx, b, "g", Plain(model.MetricsFile, []byte("[]")))
	if err == nil || !strings.Contains(err.Error(), "generations/g/metrics.json") {
		t.Errorf("other bytes: %v", err)
	}
}
