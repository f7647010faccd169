package eventfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/schemas/event"
)

const flags = "|0|0|0|0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0"

func TestMovieLensLines(t *testing.T) {
	// Rows made up for the test, in the layout that the data set's README describes.
	events, bad := read(t, "ratings", "7\t42\t4\t900000000\n7\t43\t5\tsoon\r\n7\t44\n8\t45\t2.5\t900000001")
	want := []Row[event.Event]{
		{1, event.Event{UserID: "7", ItemID: "42", Type: RatingType, Value: ptr(4), Time: 900_000_000_000}},
		{4, event.Event{UserID: "8", ItemID: "45", Type: RatingType, Value: ptr(2.5), Time: 900_000_001_000}},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Error(d)
	}
	if len(bad) != 2 || !strings.Contains(bad[0], `ratings line 2: time: timestamp "soon"`) || !strings.Contains(bad[1], "4 fields are required") {
		t.Error(bad)
	}

	// Item 2 is in Latin-1 and has a genre beside "unknown"; item 3 in UTF-8 without a date and a genre.
	ri, err := ReadItems("u.item", strings.NewReader("1|A Film (1990)|01-Jan-1990||http://x"+flags+"\n"+
		"2|Caf\xe9|05-Mar-1988||"+strings.Replace(flags, "0", "1", 1)+"\n"+
		"3|Café|||"+strings.ReplaceAll(flags, "1", "0")+"\n"+
		"4|Odd|||"+strings.Replace(flags, "0", "x", 1)+"\n"))
	items, bad := readAll(t, ri, err)
	wantItems := []Row[event.Item]{
		{1, event.Item{ID: "1", Attributes: map[string]any{"title": "A Film (1990)", "category": "Comedy", "tags": []any{"Comedy", "Drama"}, "release_year": 1990.0}}},
		{2, event.Item{ID: "2", Attributes: map[string]any{"title": "Café", "category": "Comedy", "tags": []any{"Comedy", "Drama"}, "release_year": 1988.0}}},
		{3, event.Item{ID: "3", Attributes: map[string]any{"title": "Café"}}},
	}
	if d := cmp.Diff(wantItems, items); d != "" {
		t.Error(d)
	}
	if len(bad) != 1 || !strings.Contains(bad[0], `u.item line 4: range: unknown "x": 0 or 1`) {
		t.Error(bad)
	}

	ru, err := ReadUsers("people", strings.NewReader("1|30|F|baker|01234\n2|old|M|baker|0\n"))
	users, bad := readAll(t, ru, err)
	wantUsers := []Row[event.User]{{1, event.User{ID: "1", Attributes: map[string]any{"age": 30.0, "gender": "F", "occupation": "baker", "zip": "01234"}}}}
	if d := cmp.Diff(wantUsers, users); d != "" {
		t.Error(d)
	}
	if len(bad) != 1 || !strings.Contains(bad[0], `age "old"`) {
		t.Error(bad)
	}
}

// TestMovieLens100K reads the real data set.
func TestMovieLens100K(t *testing.T) {
	root := os.Getenv("ANABRANCH_TESTDATA")
	if root == "" {
		t.Skip("ANABRANCH_TESTDATA is not set: it names the folder that holds ml-100k (MovieLens 100K, from grouplens.org/datasets/movielens/100k)")
	}
	dir := filepath.Join(root, "ml-100k")
	re, err := OpenEvents(filepath.Join(dir, "u.data"))
	events, badEvents := readAll(t, re, err)
	ri, err := OpenItems(filepath.Join(dir, "u.item"))
	items, badItems := readAll(t, ri, err)
	ru, err := OpenUsers(filepath.Join(dir, "u.user"))
	users, badUsers := readAll(t, ru, err)
	for _, r := range []interface{ Close() error }{re, ri, ru} {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(events) != 100_000 || len(items) != 1_682 || len(users) != 943 {
		t.Errorf("%d events, %d items, %d users", len(events), len(items), len(users))
	}
	if len(badEvents)+len(badItems)+len(badUsers) > 0 {
		t.Errorf("bad rows: %v %v %v", badEvents, badItems, badUsers)
	}
	known, noCategory := map[string]bool{}, 0
	for _, i := range items {
		known[i.Record.ID] = true
		if i.Record.Stamp() == nil {
			noCategory++
		}
	}
	for _, e := range events {
		if !known[e.Record.ItemID] {
			t.Fatalf("line %d rates %s, which is not in the catalog", e.Line, e.Record.ItemID)
		}
	}
	if noCategory > 0 {
		t.Errorf("%d items without a category", noCategory)
	}
}
