package artifact

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stored is a bucket with the sample generation.
func stored(t *testing.T) (*bucket.Bucket, model.Manifest) {
	t.Helper()
	b := openBucket(t)
	m, files := sample(t)
	store(t, b, m, files)
	return b, m
}

// TestCloseWhileReading closes a generation that many goroutines read. Each read is right or says that it is
// closed.
func TestCloseWhileReading(t *testing.T) {
	b, m := stored(t)
	for range 20 {
		g := must(Open(t.Context(), b, m.ID))(t)
		var wg sync.WaitGroup
		started := make(chan struct{}, 4)
		for range cap(started) {
			wg.Go(func() {
				for n := 0; ; n++ {
					if n == 1 {
						started <- struct{}{}
					}
					if err := readAll(g); err != nil {
						if !strings.Contains(err.Error(), "closed") {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for range cap(started) {
			<-started
		}
		for range 2 {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if v, ok := g.UserVector("u1"); !ok || v[0] != 1 || g.ItemIDs()[1] != "i10" {
			t.Error("vectors and ids are gone")
		}
	}
}

// readAll reads every view without looking at the bytes, which belong to whoever closes.
func readAll(g *Generation) error {
	_, _, err := g.ItemView("i10")
	if err == nil {
		_, _, err = g.GlobalView()
	}
	if err == nil {
		_, _, err = g.Recent("ü2")
	}
	for _, rows := range []*Iter{g.Users(), g.Items(), g.Recents()} {
		rows.Seek([]byte("u"))
		for err == nil && rows.Next() {
			continue
		}
		if err == nil {
			err = rows.Err()
		}
	}
	return err
}

func TestClosedSaysSo(t *testing.T) {
	b, m := stored(t)
	g := must(Open(t.Context(), b, m.ID))(t)
	before := g.Users()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string]*Iter{"before": before, "after": g.Users()} {
		rows.Seek([]byte("u"))
		if rows.Next() || rows.Err() == nil || !strings.Contains(rows.Err().Error(), "closed") {
			t.Errorf("an iterator from %s Close: %v", name, rows.Err())
		}
	}
	if g.Users().Key() != nil || g.Users().Value() != nil {
		t.Error("a row after Close")
	}
	if _, _, _, err := g.UserView("u1"); err == nil {
		t.Error("a user after Close")
	}
}

// TestForgottenIsUnmapped drops generations without Close, and one while an iterator is left.
func TestForgottenIsUnmapped(t *testing.T) {
	b, m := stored(t)
	through, _ := errbucket.Wrap(b)
	for range 3 {
		must(Open(t.Context(), b, m.ID))(t)
		must(Open(t.Context(), through, m.ID))(t)
	}
	rows := must(Open(t.Context(), b, m.ID))(t).Items()
	tables := func() int { return bytes.Count(must(os.ReadFile("/proc/self/maps"))(t), []byte("item.sorted")) }
	if _, err := os.Stat("/proc/self/maps"); err != nil {
		t.Skip("this system does not tell what is mapped: ", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for tables() != 1 {
		if time.Now().After(deadline) {
			t.Fatalf("%d tables are mapped, one is in use", tables())
		}
		runtime.GC()
		runtime.Gosched()
	}
	if !rows.Next() || string(rows.Key()) != "i1" {
		t.Errorf("the iterator reads %q, %v", rows.Key(), rows.Err())
	}
	runtime.KeepAlive(rows)
}

// TestDownloadsLeaveNoFile opens a generation from a bucket that is no folder.
func TestDownloadsLeaveNoFile(t *testing.T) {
	b, m := stored(t)
	through, _ := errbucket.Wrap(b)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	g := must(Open(t.Context(), through, m.ID))(t)
	defer g.Close()
	if left := must(os.ReadDir(temp))(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	checkViews(t, g)
}

// TestCache spoils a file of a cache, and lets another generation be retained and dropped.
func TestCache(t *testing.T) {
	b, m := stored(t)
	through, inj := errbucket.Wrap(b)
	cache := t.TempDir()
	open := func() (downloads int) {
		before := len(inj.Ops())
		g := must(OpenCached(t.Context(), through, m.ID, cache))(t)
		defer g.Close()
		checkViews(t, g)
		checkVectors(t, g)
		for _, op := range inj.Ops()[before:] {
			if op.Kind == errbucket.Open && (strings.HasSuffix(op.Key, ".sorted") || strings.HasSuffix(op.Key, ".arrow")) {
				downloads++
			}
		}
		return downloads
	}
	if n := open(); n != 6 {
		t.Errorf("%d downloads for an empty cache", n)
	}
	if n := open(); n != 0 {
		t.Errorf("%d downloads for a full cache", n)
	}
	spoiled := filepath.Join(cache, m.ID, filepath.FromSlash(model.UserViewFile))
	if err := os.Truncate(spoiled, 100); err != nil {
		t.Fatal(err)
	}
	if n := open(); n != 1 {
		t.Errorf("%d downloads for a spoiled file", n)
	}
	const retained, dropped = "g000001-0123456789", "g000002-0123456789"
	for _, name := range []string{retained, dropped, "somebody else's"} {
		if err := os.Mkdir(filepath.Join(cache, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	must(b.PutJSON(t.Context(), model.PointerKey, model.Pointer{Current: retained, Retained: []model.Retained{{ID: retained}}}))(t)
	open()
	var names []string
	for _, e := range must(os.ReadDir(cache))(t) {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != retained+" "+m.ID+" somebody else's" {
		t.Errorf("the cache holds %s", got)
	}
	if parts := must(filepath.Glob(filepath.Join(cache, "*", "*", "part-*")))(t); len(parts) != 0 {
		t.Errorf("left: %v", parts)
	}
}

// TestWithoutRecent opens a generation that no night continues from.
func TestWithoutRecent(t *testing.T) {
	b := openBucket(t)
	m, files := sample(t)
	m.Files = m.Files[:len(m.Files)-1]
	store(t, b, m, files)
	g := must(Open(t.Context(), b, m.ID))(t)
	defer g.Close()
	if _, err := OpenViews(t.Context(), b, m.ID, ""); err == nil || !strings.Contains(err.Error(), "lists no "+model.RecentFile) {
		t.Errorf("views: %v", err)
	}
	rows := g.Recents()
	if _, _, err := g.Recent("ü2"); err == nil || rows.Next() || rows.Err() == nil || !strings.Contains(rows.Err().Error(), model.RecentFile) {
		t.Errorf("recent ids: %v, %v", err, rows.Err())
	}
}

// TestOpenViews opens the views alone, of a generation whose vectors are damaged.
func TestOpenViews(t *testing.T) {
	b, m := stored(t)
	must(b.Put(t.Context(), model.GenerationPrefix(m.ID)+model.UserVectorsFile, []byte("x")))(t)
	through, _ := errbucket.Wrap(b)
	dir := t.TempDir()
	for _, b := range []*bucket.Bucket{b, through} {
		v := must(OpenViews(t.Context(), b, m.ID, dir))(t)
		value, ok, err := v.Recent.Get([]byte("ü2"))
		if err != nil || !ok || string(value) != "recent of ü2" || v.User.Rows() != 2 || v.Item.Rows() != 3 || v.Global.Rows() != 1 || v.Manifest.ID != m.ID {
			t.Errorf("%+v: %q, %v, %v", v, value, ok, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if left := must(os.ReadDir(dir))(t); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	}
	if _, err := OpenViews(t.Context(), b, "g000009-0123456789", dir); api.CodeOf(err) != api.NotFound {
		t.Errorf("of no generation: %v", err)
	}
	must(b.Put(t.Context(), model.GenerationPrefix(m.ID)+model.ItemViewFile, []byte("x")))(t)
	if _, err := OpenViews(t.Context(), b, m.ID, dir); err == nil || !strings.Contains(err.Error(), model.ItemViewFile) {
		t.Errorf("damaged: %v", err)
	}
}
