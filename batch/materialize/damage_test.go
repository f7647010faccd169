package materialize_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/batch/batchtest"
	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
)

// damaged changes one object of a world and returns the error that Compute gives, which has to name the
// object and to leave nothing behind.
func damaged(t *testing.T, change func([]byte) []byte, reindex bool) error {
	t.Helper()
	w, target := world(t, 1)
	s := discover(t, w, target)
	f := &s.Files[len(s.Files)/2]
	data, _, err := w.Bucket.Get(t.Context(), f.Key)
	if err != nil {
		t.Fatal(err)
	}
	data = change(bytes.Clone(data))
	if _, err := w.Bucket.Put(t.Context(), f.Key, data); err != nil {
		t.Fatal(err)
	}
	if reindex { // the index agrees: only what the file says of itself can be wrong
		f.Bytes, f.SHA256 = int64(len(data)), model.SHA256Hex(data)
	}
	o := options(t)
	o.Dir = t.TempDir()
	o.Memory = 1 // everything is put aside in files
	r, err := materialize.Compute(t.Context(), w.Bucket, s, o)
	if err == nil {
		t.Fatalf("damage was not noticed: %+v", r.Counts)
	}
	if !strings.Contains(err.Error(), f.Key) {
		t.Errorf("the error does not name %s: %v", f.Key, err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		t.Errorf("%v are left behind", left)
	}
	return err
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"flipped in data":   func(b []byte) []byte { b[len(b)/4] ^= 1; return b },
		"flipped in footer": func(b []byte) []byte { b[len(b)-30] ^= 1; return b },
		"truncated":         func(b []byte) []byte { return b[:len(b)/2] },
		"empty":             func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) { _ = damaged(t, change, false) })
	}
}

// TestWrongFilesAreNamed puts files whose checksum is that of the index, but which are not what belongs there.
func TestWrongFilesAreNamed(t *testing.T) {
	other := func(rows int) []byte {
		w := batchtest.New(t)
		shop := batchtest.NewShop(1, 3, 3)
		for range rows {
			w.Append(shop.Event(label, time.Hour))
		}
		_, cut := w.Mark(label)
		s := discover(t, w, materialize.Target{TopicID: batchtest.TopicID, N: 1, Cut: cut})
		data, _, err := w.Bucket.Get(t.Context(), s.Files[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, change := range map[string]func([]byte) []byte{
		"no Parquet":     func([]byte) []byte { return []byte("user_id,item_id\n1,2\n") },
		"other schema":   func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("item_id"), []byte("item_no")) },
		"another file":   func([]byte) []byte { return other(20) },
		"one with fewer": func([]byte) []byte { return other(1) },
		"footer only":    func(b []byte) []byte { return append([]byte("PAR1"), b[len(b)-200:]...) },
	} {
		t.Run(name, func(t *testing.T) { _ = damaged(t, change, true) })
	}
}

// TestNothingToRead computes epochs without a row, and with rejected rows only.
func TestNothingToRead(t *testing.T) {
	w := batchtest.New(t)
	for n := range 3 {
		if n == 1 {
			w.Reject(0)
		}
		mark, cut := w.Mark(label.AddDate(0, 0, n))
		r := compute(t, w, discover(t, w, materialize.Target{TopicID: batchtest.TopicID, N: mark.N, Cut: cut}), options(t))
		if len(r.Files) > 0 || r.Counts.Rows != int64(min(n, 1)) || r.Counts.Rejected != r.Counts.Rows {
			t.Errorf("mark %d: %+v, %d files", mark.N, r.Counts, len(r.Files))
		}
	}
}

// crowd is an archive of one epoch with n events, of which user and item are those of i.
func crowd(t *testing.T, n int, user, item func(i int) string) (*batchtest.World, materialize.Source) {
	w := batchtest.New(t)
	w.ObjectRows = 1 << 20
	w.Partitions = 1
	for i := range n {
		w.Append(event.Event{
			ID: fmt.Sprint(i), UserID: user(i), ItemID: item(i), Type: "view",
			Time: event.MillisOf(label.Add(-time.Duration(n-i) * time.Second)),
		})
	}
	_, cut := w.Mark(label)
	delete(cut, 1)
	return w, discover(t, w, materialize.Target{TopicID: batchtest.TopicID, N: 1, Cut: cut})
}

// TestManyUsersInOneFile has as many users as rows, and more than fit into a row group of ours.
func TestManyUsersInOneFile(t *testing.T) {
	n := 150_000
	if testing.Short() {
		n = 10_000
	}
	w, s := crowd(t, n, func(i int) string { return fmt.Sprint("u", i) }, func(i int) string { return fmt.Sprint("i", i%10) })
	r := compute(t, w, s, options(t))
	if r.Counts.Users != int64(n) || r.Counts.Items != 10 || r.Files[0].File.Rows != int64(n) {
		t.Errorf("%+v", r.Counts)
	}
}

// TestHotMembers has one user with most of the events and one item with half of them, and holds only a few of the
// rows at a time.
func TestHotMembers(t *testing.T) {
	const n = 6000
	w, s := crowd(t, n, func(i int) string { return []string{"hot", "hot", "hot", fmt.Sprint("u", i%7)}[i%4] },
		func(i int) string { return []string{"hit", fmt.Sprint("i", i%50)}[i%2] })
	o := options(t)
	o.Dates = func(int32) bool { return true }
	want := digest(t, compute(t, w, s, o))
	o.Memory = 256 << 10 // 256 rows a chunk
	r := compute(t, w, s, o)
	if got := digest(t, r); got != want {
		t.Error("less memory gives other bytes")
	}
	log := oracle.Distinct(records(w))
	for e := range viewFiles {
		if e != feature.User { // the oracle takes seconds for one user of 4500 events
			compareViewAt(t, o.Catalogue, e, r, log, label.UnixMilli())
		}
	}
}

// TestCloseRemovesEverything looks into the folder for temporary files before and after.
func TestCloseRemovesEverything(t *testing.T) {
	w, target := world(t, 2)
	o := options(t)
	o.Dir = t.TempDir()
	r, err := materialize.Compute(t.Context(), w.Bucket, discover(t, w, target), o)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) != 1 {
		t.Errorf("%d folders while the result is open", len(left))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) != 0 {
		t.Errorf("%v are left behind", left)
	}
}

// TestOldFoldersGo leaves a folder as a killed process does.
func TestOldFoldersGo(t *testing.T) {
	w, target := world(t, 2)
	o := options(t)
	o.Dir = t.TempDir()
	old, fresh := o.Dir+"/anabranch-views-1", o.Dir+"/anabranch-views-2"
	for _, dir := range []string{old, fresh} {
		if err := os.MkdirAll(dir+"/views", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().AddDate(0, 0, -3)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	r, err := materialize.Compute(t.Context(), w.Bucket, discover(t, w, target), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, gone := os.Stat(old)
	_, there := os.Stat(fresh)
	if !os.IsNotExist(gone) || there != nil {
		t.Errorf("the old folder: %v, the other's: %v", gone, there)
	}
}
