package artifact

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
	"pgregory.net/rapid"
)

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

// TestStoreLocalNeverReplaces is the same for files that are not held in memory.
func TestStoreLocalNeverReplaces(t *testing.T) {
	ctx, b, dir := t.Context(), openBucket(t), t.TempDir()
	write := func(state string) Local {
		w := must(NewView(dir, model.ItemViewFile))(t)
		if err := w.Add([]byte("i"), []byte(state)); err != nil {
			t.Fatal(err)
		}
		return must(w.Close())(t)
	}
	for range 2 {
		if err := StoreLocal(ctx, b, "g", write("one")); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"two", "another length"} {
		err := StoreLocal(ctx, b, "g", write(other))
		if err == nil || !strings.Contains(err.Error(), "generations/g/views/item.sorted exists with other bytes") {
			t.Errorf("%s: %v", other, err)
		}
	}
	l := write("gone")
	if err := os.Remove(l.Path); err != nil {
		t.Fatal(err)
	}
	if err := StoreLocal(ctx, b, "h", l); err == nil || !strings.Contains(err.Error(), l.Path) {
		t.Errorf("without a file: %v", err)
	}
}

// TestViewsAreWrittenAlike writes random users through a folder and in memory: the bytes are equal, and
// each row is read back.
func TestViewsAreWrittenAlike(t *testing.T) {
	dir, b := t.TempDir(), openBucket(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		users := rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 2, 2)).Draw(rt, "users")
		var ids []string
		for id := range users {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		w := must(NewView(filepath.Join(dir, "folder"), model.UserViewFile))(t)
		var states, histories [][]byte
		var value []byte
		for _, id := range ids {
			states, histories = append(states, users[id][0]), append(histories, users[id][1])
			value = AppendUser(value[:0], users[id][0], users[id][1])
			if err := w.Add([]byte(id), value); err != nil {
				rt.Fatal(err)
			}
		}
		local := must(w.Close())(t)
		e := must(UserView(ids, states, histories))(t)
		data := must(os.ReadFile(local.Path))(t)
		if !slices.Equal(data, e.Data) || local.File.SHA256 != e.File.SHA256 || local.File.SHA256 != model.SHA256Hex(data) ||
			local.File.Bytes != int64(len(data)) || local.File.Rows != int64(len(ids)) || local.File.Name != e.File.Name {
			rt.Fatalf("local %+v, in memory %+v", local.File, e.File)
		}
		id := "g" + rapid.StringMatching("[0-9a-f]{6}").Draw(rt, "generation")
		if err := b.Delete(t.Context(), model.GenerationPrefix(id)+model.UserViewFile); err != nil {
			rt.Fatal(err)
		}
		if err := StoreLocal(t.Context(), b, id, local); err != nil {
			rt.Fatal(err)
		}
		r := must(LoadView(t.Context(), b, id, local.File))(t)
		defer r.Close()
		checkUsers(rt, r, users)
	})
}

func checkUsers(t *rapid.T, r *sorted.Reader, users map[string][][]byte) {
	n := 0
	for it := r.Iter(); it.Next(); n++ {
		state, history, err := SplitUser(it.Value())
		want := users[string(it.Key())]
		if err != nil || want == nil || !slices.Equal(state, want[0]) || !slices.Equal(history, want[1]) {
			t.Fatalf("user %q: %x, %x, %v; want %x", it.Key(), state, history, err, want)
		}
	}
	if n != len(users) {
		t.Fatalf("%d of %d users", n, len(users))
	}
}

func TestSplitUserRefuses(t *testing.T) {
	whole := AppendUser(nil, []byte("state"), []byte("history"))
	for n := range 1 + len("state") {
		if _, _, err := SplitUser(whole[:n]); err == nil {
			t.Errorf("the first %d bytes are accepted", n)
		}
	}
	for _, value := range []string{"\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x02a"} {
		if _, _, err := SplitUser([]byte(value)); err == nil || !strings.Contains(err.Error(), model.UserViewFile) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// TestMemoryIsBounded writes, stores, finds and downloads a view of 64 MB. All that is ever allocated is less.
func TestMemoryIsBounded(t *testing.T) {
	const rows, limit = 64, 24 << 20
	b, _ := errbucket.Wrap(openBucket(t))
	value := make([]byte, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := must(NewView(t.TempDir(), model.UserViewFile))(t)
	for i := range rows {
		value[i]++
		if err := w.Add([]byte{byte(i)}, value); err != nil {
			t.Fatal(err)
		}
	}
	l := must(w.Close())(t)
	for range 2 {
		if err := StoreLocal(t.Context(), b, "g", l); err != nil {
			t.Fatal(err)
		}
	}
	r := must(LoadView(t.Context(), b, "g", l.File))(t)
	defer r.Close()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > limit || r.Bytes() < rows<<20 {
		t.Errorf("%d bytes were allocated for a view of %d, accepted are %d", n, r.Bytes(), limit)
	}
}

// TestUnfinishedViewsLeaveNoFile ends views in the three other ways.
func TestUnfinishedViewsLeaveNoFile(t *testing.T) {
	dir := t.TempDir()
	w := must(NewView(dir, model.UserViewFile))(t)
	if err := w.Discard(); err != nil {
		t.Error(err)
	}
	w = must(NewView(dir, model.UserViewFile))(t)
	for i, want := range []bool{true, false, false} {
		if err := w.Add([]byte("u"), nil); (err == nil) != want || err != nil && !strings.Contains(err.Error(), model.UserViewFile) {
			t.Errorf("row %d: %v", i, err)
		}
	}
	if _, err := w.Close(); err == nil || !strings.Contains(err.Error(), model.UserViewFile) {
		t.Errorf("close after an error: %v", err)
	}
	if left := must(os.ReadDir(filepath.Join(dir, "views")))(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewView(filepath.Join(dir, "file"), model.UserViewFile); err == nil || !strings.Contains(err.Error(), model.UserViewFile) {
		t.Errorf("below a file: %v", err)
	}
}

// TestFeaturesFollowTheDefinition describes a feature otherwise: the file must not change, since the generation's id
// does not.
func TestFeaturesFollowTheDefinition(t *testing.T) {
	c, described := catalogue(t), catalogue(t)
	described.Features[1].Description, described.Derived[0].Description = "other", "words"
	e := Features(c)
	if other := Features(described); string(other.Data) != string(e.Data) || described.Features[1].Description != "other" {
		t.Errorf("got\n%s\nand\n%s", e.Data, other.Data)
	}
	if e.File.SHA256 != c.Hash() {
		t.Errorf("SHA-256 %s of the definition %s", e.File.SHA256, c.Hash())
	}
}
