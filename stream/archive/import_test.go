package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

var sha = strings.Repeat("0123456789abcdef", 4)

// history is n events over 14 days in no order.
func history(n int) []event.Event {
	rng := rand.New(rand.NewPCG(3, 4))
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			UserID: fmt.Sprint("u", rng.IntN(5000)), ItemID: fmt.Sprint("i", rng.IntN(2000)), Type: "view",
			Time: event.MillisOf(start) - event.Millis(rng.Int64N(14*24*3600*1000)), SessionID: fmt.Sprint("s", i/8),
		}
	}
	return events
}

func source(events []event.Event) Source {
	return Source{SHA256: sha, Format: "test", Rows: func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}}
}

func category(itemID string) *event.Stamp {
	c := "category of " + itemID
	return &event.Stamp{Category: &c}
}

// readImport returns the committed rows by offset, having checked everything around them.
func readImport(t *testing.T, b *bucket.Bucket) (model.Import, []event.Raw) {
	t.Helper()
	var done model.Import
	_, err := b.GetJSON(t.Context(), model.ImportKey(sha), &done)
	must(t, err)
	var rows []event.Raw
	for _, o := range done.Objects {
		_, err := rawparquet.ReadVerified(t.Context(), b, o.Key, o.Bytes, o.SHA256, nil, func(batch rawparquet.Batch) error {
			for r := range batch.Rows {
				if day := event.Millis(*r.EventTime).Time().Format(time.DateOnly); day != o.Day {
					t.Errorf("%s holds an event of %s", o.Key, day)
				}
				rows = append(rows, r)
			}
			return nil
		})
		must(t, err)
	}
	slices.SortFunc(rows, func(a, b event.Raw) int { return int(a.Offset - b.Offset) })
	return done, rows
}

func TestImport(t *testing.T) {
	events := history(3000)
	for _, buffer := range []int{0, 700} {
		b := newMemory()
		src := source(events)
		src.buffer = buffer
		res, err := Import(t.Context(), b, src, category, start)
		must(t, err)
		if d := cmp.Diff(Result{Rows: 3000, Days: 15}, res); d != "" {
			t.Error(d)
		}
		done, rows := readImport(t, b)
		if done.Rows != 3000 || len(rows) != 3000 || !slices.IsSortedFunc(done.Objects, func(a, b model.ImportObject) int { return strings.Compare(a.Key, b.Key) }) {
			t.Fatalf("%d rows announced, %d read; %v", done.Rows, len(rows), done.Objects)
		}
		for i, r := range rows {
			e := events[i]
			e.ID = fmt.Sprintf("0123456789abcdef-%d", i+1)
			e.Stamp = category(e.ItemID)
			want, err := event.RawEvent(event.Position{TopicID: sha, Offset: int64(i + 1)}, e.Time, &e)
			must(t, err)
			if d := cmp.Diff(want, r); d != "" {
				t.Fatalf("row %d: %s", i+1, d)
			}
		}
		faulty, inj := errbucket.Wrap(b)
		again, err := Import(t.Context(), faulty, source(nil), nil, start)
		must(t, err)
		if d := cmp.Diff(Result{Rows: 3000, Days: 15, AlreadyDone: true}, again); d != "" {
			t.Error(d)
		}
		if ops := inj.Ops(); len(ops) != 1 {
			t.Errorf("the second import did %v", ops)
		}
	}
}

// TestImportCrash kills an import at every operation and repeats it with another catalog.
func TestImportCrash(t *testing.T) {
	events := history(60)
	counted, inj := errbucket.Wrap(newMemory())
	_, err := Import(t.Context(), counted, source(events), nil, start)
	must(t, err)
	for n := 1; n <= len(inj.Ops()); n++ {
		for _, effect := range []errbucket.Effect{errbucket.Crash, errbucket.CrashAfter} {
			b := newMemory()
			faulty, _ := errbucket.Wrap(b, errbucket.Fault{Nth: n, Effect: effect})
			if _, err := Import(t.Context(), faulty, source(events), nil, start); !errors.Is(err, errbucket.ErrInjected) {
				t.Fatalf("operation %d: %v, want the injected fault", n, err)
			}
			res, err := Import(t.Context(), b, source(events), category, start)
			must(t, err)
			_, rows := readImport(t, b)
			if len(rows) != len(events) || res.Rows != int64(len(events)) {
				t.Fatalf("operation %d: %d rows of %d", n, len(rows), len(events))
			}
			for _, r := range rows {
				if (r.Category == nil) != res.AlreadyDone {
					t.Fatalf("operation %d: a row has not the catalog of the import that committed", n)
				}
			}
		}
	}
}

// TestImportOverlap lets another import of the file, with another catalog, start and commit in the
// middle of one. What it committed must stay as it is.
func TestImportOverlap(t *testing.T) {
	events := history(300)
	b := newMemory()
	slow := source(events)
	slow.buffer = 100
	slow.Rows = func(yield func(event.Event, error) bool) {
		for i, e := range events {
			if i == 150 {
				fast := source(events)
				fast.buffer = slow.buffer
				res, err := Import(t.Context(), b, fast, category, start)
				must(t, err)
				if res.AlreadyDone {
					t.Error("the import that was first to commit says that it was not")
				}
			}
			if !yield(e, nil) {
				return
			}
		}
	}
	res, err := Import(t.Context(), b, slow, nil, start)
	must(t, err)
	if !res.AlreadyDone || res.Rows != 300 {
		t.Errorf("the import that came too late answers %+v", res)
	}
	_, rows := readImport(t, b)
	if len(rows) != 300 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Category == nil || *r.Category != *category(*r.ItemID).Category {
			t.Fatalf("row %d has not the catalog of the import that committed", r.Offset)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	good := history(2)
	late, nobody := good[0], good[1]
	late.Time = event.MillisOf(start) + event.MaxClockSkew + 1
	nobody.UserID = ""
	broken := func(yield func(event.Event, error) bool) {
		_ = yield(good[0], nil) && yield(event.Event{}, io.ErrUnexpectedEOF)
	}
	for _, c := range []struct {
		name string
		rows iter.Seq2[event.Event, error]
		skip bool
		code api.Code
		says []string
	}{
		{"no user", source([]event.Event{good[0], nobody}).Rows, false, api.Invalid, []string{"row 2", "user_id"}},
		{"the future", source([]event.Event{late}).Rows, false, api.Invalid, []string{"row 1", "event_time", late.Time.String(), "past"}},
		{"nothing", source(nil).Rows, false, api.Invalid, []string{"no rows"}},
		{"nothing valid", source([]event.Event{late}).Rows, true, api.Invalid, []string{"1 were skipped"}},
		{"half a file", broken, true, api.Internal, []string{"row 2", "unexpected EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newMemory()
			_, err := Import(t.Context(), b, Source{SHA256: sha, Rows: c.rows, SkipInvalid: c.skip}, nil, start)
			if api.CodeOf(err) != c.code {
				t.Fatalf("got %v, want code %s", err, c.code)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
			if left, err := b.List(context.Background(), ""); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

func TestImportSkipsInvalid(t *testing.T) {
	events := history(10)
	events[3].Type = "No Such"
	src := source(events)
	src.SkipInvalid = true
	b := newMemory()
	res, err := Import(t.Context(), b, src, nil, start)
	must(t, err)
	_, rows := readImport(t, b)
	if res.Rows != 9 || res.Skipped != 1 || len(rows) != 9 || rows[3].Offset != 5 {
		t.Errorf("%+v, %d rows, the fourth is row %d of the file", res, len(rows), rows[3].Offset)
	}
}

func TestImportAfterMark(t *testing.T) {
	b := newMemory()
	_, err := b.PutJSONIfAbsent(t.Context(), model.MarkKey(1), model.Mark{N: 1, Label: start, Start: start})
	must(t, err)
	_, err = Import(t.Context(), b, source(history(1)), nil, start)
	if api.CodeOf(err) != api.Invalid || !strings.Contains(err.Error(), "anabranch events send") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkImport(b *testing.B) {
	events := history(500_000)
	for b.Loop() {
		if _, err := Import(context.Background(), newMemory(), source(events), category, start); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(events))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
