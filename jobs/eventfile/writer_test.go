package eventfile

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/jobs/shop"
	"github.com/anabranch/anabranch/schemas/event"
)

var extra = []string{"context.a", "context.b c", "properties.x", "properties.y"}

func drawEvent(t *rapid.T) event.Event {
	id := rapid.StringMatching(`[a-zA-Z0-9é日,;"' _-]{1,20}`)
	e := event.Event{
		UserID: id.Draw(t, "user"), ItemID: id.Draw(t, "item"), Type: "view",
		Time: event.Millis(rapid.Int64Range(event.MinEventTime, 4e12).Draw(t, "time")),
	}
	if rapid.Bool().Draw(t, "full") {
		e.ID, e.SessionID = id.Draw(t, "id"), id.Draw(t, "session")
		e.Value = ptr(rapid.Float64().Draw(t, "value"))
	}
	words := rapid.OneOf(rapid.StringN(-1, 30, -1), rapid.SampledFrom([]string{"", "true", "1", "007", "-1e3", `"x"`, `"`, "a\r\nb", " x ", `\.`, "\ufeff", "123456789012345678"}))
	value := rapid.OneOf(
		rapid.Map(words, func(s string) any { return s }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.IntRange(-1e18, 1e18), func(v int) any { return float64(v) }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }))
	for _, c := range extra {
		if !rapid.Bool().Draw(t, c) {
			continue
		}
		if key, ok := strings.CutPrefix(c, contextPrefix); ok {
			if e.Context == nil {
				e.Context = map[string]string{}
			}
			e.Context[key] = words.Draw(t, "word")
			continue
		}
		if e.Properties == nil {
			e.Properties = map[string]any{}
		}
		e.Properties[strings.TrimPrefix(c, propertiesPrefix)] = value.Draw(t, "scalar")
	}
	return e
}

// TestRoundTrip writes any valid events in both formats and reads them back unchanged.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 5).Draw(t, "events")
		for _, f := range []Format{CSV, JSONLines} {
			var b bytes.Buffer
			w, err := NewWriter(&b, f, extra...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if err := w.Write(&want[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := ReadEvents("a."+string(f), &b)
			if err != nil {
				t.Fatal(err)
			}
			var got []event.Event
			for row, err := range r.All() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, row.Record)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s: %s", f, d)
			}
		}
	})
}

// TestShortEncoding compares the writer's short way with the codec.
func TestShortEncoding(t *testing.T) {
	var enc lineEncoder
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		if rapid.Bool().Draw(t, "plain") {
			e.Properties = nil
		}
		e.Context = rapid.MapOfN(rapid.String(), rapid.String(), -1, 4).Draw(t, "context")
		e.Time = event.Millis(rapid.Int64Range(-70_000_000_000_000, 300_000_000_000_000).Draw(t, "any time"))
		want, wantErr := e.Encode()
		got, gotErr := enc.append(nil, &e)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("error %v, want %v", gotErr, wantErr)
		}
		if wantErr == nil && string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
	bad := event.Event{ID: "a\xff"}
	if _, err := enc.append(nil, &bad); err == nil {
		t.Error("bytes that are not UTF-8 are written")
	}
	infinite := event.Event{ID: "a", Value: ptr(math.Inf(1))}
	if _, err := enc.append(nil, &infinite); err == nil {
		t.Error("an infinite value is written")
	}
}

func TestWriterRefuses(t *testing.T) {
	if _, err := NewWriter(&bytes.Buffer{}, MovieLens); err == nil {
		t.Error("MovieLens is written")
	}
	if _, err := NewWriter(&bytes.Buffer{}, CSV, "colour"); err == nil || !strings.Contains(err.Error(), `"colour"`) {
		t.Error(err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "a.parquet")); err == nil || !strings.Contains(err.Error(), ".csv") {
		t.Error(err)
	}
	w, err := NewWriter(&bytes.Buffer{}, CSV, "context.a")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&event.Event{Context: map[string]string{"b": "1"}}); err == nil || !strings.Contains(err.Error(), "context.a") {
		t.Errorf("a context without a column: %v", err)
	}
}

// TestShopFiles writes a shop's history into every kind of file and reads it back.
func TestShopFiles(t *testing.T) {
	s := testShop(t, 5_000)
	want := slices.Collect(s.History())
	for _, name := range []string{"a.csv", "a.csv.gz", "a.jsonl", "a.ndjson.gz"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := Create(path, shop.Columns()...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if err := w.Write(&want[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := OpenEvents(path)
		rows, bad := readAll(t, r, err)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		got := make([]event.Event, len(rows))
		for i := range rows {
			got[i] = rows[i].Record
		}
		if d := cmp.Diff(want, got); d != "" || len(bad) > 0 {
			t.Errorf("%s: %v %s", name, bad, d)
		}
	}
	var b bytes.Buffer
	if err := WriteItems(&b, slices.Values(s.Items())); err != nil {
		t.Fatal(err)
	}
	r, err := ReadItems("items.jsonl", &b)
	rows, bad := readAll(t, r, err)
	if len(rows) != len(s.Items()) || bad != nil {
		t.Errorf("%d items, %v", len(rows), bad)
	}
}
