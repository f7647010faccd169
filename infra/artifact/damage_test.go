package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"pgregory.net/rapid"
)

// TestDamageIsNamed flips a bit, and cuts the end off, in every file of a generation: while it is read from a
// bucket, and where it lies.
func TestDamageIsNamed(t *testing.T) {
	m, files := sample(t)
	check := func(what string, f Encoded, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), f.File.Name) || !strings.Contains(err.Error(), "rollback") {
			t.Errorf("%s %s: %v", f.File.Name, what, err)
		}
	}
	clean := openBucket(t)
	store(t, clean, m, files)
	for _, f := range files {
		key := model.GenerationPrefix(m.ID) + f.File.Name
		for effect, what := range map[errbucket.Effect]string{errbucket.Corrupt: "corrupt", errbucket.Truncate: "cut off", errbucket.Fail: "out of reach"} {
			b, _ := errbucket.Wrap(clean, errbucket.Fault{Match: errbucket.Reads(key), Effect: effect})
			_, err := Open(t.Context(), b, m.ID)
			check(what, f, err)
			cache := t.TempDir()
			_, err = OpenCached(t.Context(), b, m.ID, cache)
			check(what+", into a cache", f, err)
			must(OpenCached(t.Context(), clean, m.ID, cache))(t).Close()
		}
		b := openBucket(t)
		store(t, b, m, files)
		path, _, err := b.Path(key)
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(f.Data)
		flipped[len(flipped)/2] ^= 1
		for what, data := range map[string][]byte{"flipped": flipped, "truncated": f.Data[:len(f.Data)/2], "empty": nil} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), b, m.ID)
			check(what, f, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), b, m.ID)
		check("missing", f, err)
		if !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%s missing: %v", f.File.Name, err)
		}
	}
}

func TestOpenRefusesManifestsThatLie(t *testing.T) {
	file := func(m *model.Manifest, name string) *model.File {
		return &m.Files[slices.IndexFunc(m.Files, func(f model.File) bool { return f.Name == name })]
	}
	for name, c := range map[string]struct {
		change func(*model.Manifest)
		want   string
	}{
		"users":     {func(m *model.Manifest) { m.Counts.Users = 3 }, "vectors/user.arrow has 2 rows"},
		"items":     {func(m *model.Manifest) { m.Counts.Items = 2 }, "vectors/item.arrow has 3 rows"},
		"missing":   {func(m *model.Manifest) { m.Files = m.Files[1:] }, "lists no views/user.sorted"},
		"inputs":    {func(m *model.Manifest) { m.Inputs.Validator = 9 }, "it is damaged"},
		"rows":      {func(m *model.Manifest) { m.Files[0].Rows = 1 << 40 }, "views/user.sorted has 2 rows"},
		"negative":  {func(m *model.Manifest) { file(m, model.UserVectorsFile).Rows = -1 }, "vectors/user.arrow"},
		"negative2": {func(m *model.Manifest) { file(m, model.RecentFile).Rows = -1 }, "views/recent.sorted has 1 rows"},
		"span":      {func(m *model.Manifest) { file(m, model.ItemVectorsFile).Columns[2].Values.Offset = 1 << 62 }, "column id"},
		"overflow": {func(m *model.Manifest) {
			file(m, model.ItemVectorsFile).Columns[2].Values = model.Span{Offset: 64, Bytes: 1<<63 - 1}
		}, "column id"},
		"type":     {func(m *model.Manifest) { file(m, model.ItemVectorsFile).Columns[2].Type = model.Float32 }, "column id"},
		"old type": {func(m *model.Manifest) { file(m, model.ItemVectorsFile).Columns[2].Type = "binary" }, "not known"},
		"dim":      {func(m *model.Manifest) { file(m, model.ItemVectorsFile).Columns[0].Dim = 0 }, "column vector"},
		"name":     {func(m *model.Manifest) { m.Files[5].Name = "../../secret" }, "invalid key"},
		"swapped": {func(m *model.Manifest) {
			file(m, model.UserViewFile).Name, file(m, model.ItemViewFile).Name = model.ItemViewFile, model.UserViewFile
		}, "views/"},
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

// TestFilesThatDisagree stores intact files that do not belong together.
func TestFilesThatDisagree(t *testing.T) {
	for name, c := range map[string]struct {
		file int
		with func(t *testing.T) Encoded
		want string
	}{
		"items": {1, func(t *testing.T) Encoded { return must(ItemView([]string{"i1", "i10", "i3"}, make([][]byte, 3)))(t) }, "disagree about the item of row 2"},
		"users": {0, func(t *testing.T) Encoded {
			return must(UserView([]string{"u1"}, make([][]byte, 1), make([][]byte, 1)))(t)
		}, "views/user.sorted has 1 rows, the manifest counts 2"},
		"global": {2, func(t *testing.T) Encoded { return must(GlobalView("none", []byte("global")))(t) }, "has no row all"},
		"features": {6, func(t *testing.T) Encoded {
			c := catalogue(t)
			c.Derived = nil
			return Features(c)
		}, "features.json is the catalogue"},
		"no catalogue": {6, func(*testing.T) Encoded { return Plain(model.FeaturesFile, []byte(`{"features":[{"name":1}]}`)) }, "features.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBucket(t)
			m, files := sample(t)
			files[c.file] = c.with(t)
			m.Files[c.file] = files[c.file].File
			store(t, b, m, files)
			if _, err := Open(t.Context(), b, m.ID); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestOldFormatsAreRefused says what to do with a generation of another build.
func TestOldFormatsAreRefused(t *testing.T) {
	b := openBucket(t)
	m, files := sample(t)
	m.Inputs.Format = 1
	m.ID = must(m.Inputs.ID())(t)
	store(t, b, m, files)
	_, err := Open(t.Context(), b, m.ID)
	want := fmt.Sprintf("of format 1, this build reads format %d; run `anabranch nightly` with this build", model.Format)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
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
		e := files[rapid.IntRange(3, 4).Draw(t, "file")]
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
