package rawparquet_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/infra/rawparquet/column"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

func scanner(t testing.TB, columns []string, ranges ...rawparquet.Range) *rawparquet.Scanner {
	t.Helper()
	s, err := rawparquet.NewScanner(columns, ranges...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rowOf is row i of a group in which every column was read.
func rowOf(g *rawparquet.Group, i int) event.Raw {
	text := func(c *column.Text) *string {
		if c.Null(i) {
			return nil
		}
		s := string(c.At(i))
		return &s
	}
	r := event.Raw{
		TopicID: *text(g.TopicID), Partition: int32(g.Partition.Values[i]), Offset: g.Offset.Values[i], LogTime: g.LogTime.Values[i],
		EventID: text(g.EventID), UserID: text(g.UserID), ItemID: text(g.ItemID), Type: text(g.Type),
		SessionID: text(g.SessionID), Context: text(g.Context), Properties: text(g.Properties), Category: text(g.Category),
		Reject: text(g.Reject), Key: text(g.Key), Codec: text(g.Codec), Payload: text(g.Payload),
	}
	if !g.EventTime.Null(i) {
		v := g.EventTime.Values[i]
		r.EventTime = &v
	}
	for _, f := range []struct {
		from *column.Floats
		to   **float64
	}{{g.Value, &r.Value}, {g.Price, &r.Price}} {
		if !f.from.Null(i) {
			v := f.from.Values[i]
			*f.to = &v
		}
	}
	return r
}

func scanAll(t testing.TB, s *rawparquet.Scanner, data []byte) []event.Raw {
	t.Helper()
	got := []event.Raw{}
	_, err := s.Scan(data, func(g *rawparquet.Group) error {
		for i := range g.Rows {
			got = append(got, rowOf(g, i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestScanReadsWhatWasWritten scans random rows, with a scanner that has read other files before.
func TestScanReadsWhatWasWritten(t *testing.T) {
	s := scanner(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(rt, "rows")
		got := scanAll(t, s, encode(t, rows))
		if d := cmp.Diff(append([]event.Raw{}, rows...), got, exactly); d != "" {
			rt.Fatal(d)
		}
	})
}

// TestScanEqualsRead compares the two readers on a file of several row groups and many pages, with nulls that come
// in runs and alone.
func TestScanEqualsRead(t *testing.T) {
	rows := shopRows(150_000)
	for i := range rows {
		switch {
		case i%7 == 3:
			rows[i].Price, rows[i].Category = nil, nil
		case i > 70_000 && i < 90_000:
			rows[i].ItemID, rows[i].EventTime, rows[i].Type = nil, nil, nil
		}
	}
	data := encode(t, rows)
	got := scanAll(t, scanner(t, nil), data)
	if d := cmp.Diff(readAll(t, data), got, exactly); d != "" {
		t.Error(d[:min(len(d), 2000)])
	}
}

// TestScanProjects reads some columns only; dictionaries stay dictionaries.
func TestScanProjects(t *testing.T) {
	data := encode(t, shopRows(1000))
	_, err := scanner(t, []string{"type", "item_id"}).Scan(data, func(g *rawparquet.Group) error {
		if g.UserID != nil || g.EventTime != nil {
			t.Error("a column that was not asked for was read")
		}
		if g.Type.Values.Len() != 1 || len(g.Type.IDs) != 1000 || g.Type.Valid != nil || g.ItemID.IDs != nil || g.ItemID.Values.Len() != 1000 {
			t.Errorf("types: %d texts, %d numbers; items: %d texts", g.Type.Values.Len(), len(g.Type.IDs), g.ItemID.Values.Len())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestScanLeavesOut compares the row groups that a range lets through with those whose times overlap it. One
// of nulls alone has no statistics and is always read.
func TestScanLeavesOut(t *testing.T) {
	rows := shopRows(400_000)
	for i := range rows {
		if i%3 == 0 || i > 300_000 {
			rows[i].EventTime = nil
		}
	}
	data := encode(t, rows)
	rapid.Check(t, func(rt *rapid.T) {
		at := rapid.Int64Range(-100_000, 500_000).Draw(rt, "at")
		r := rawparquet.Range{Column: "event_time", Min: 1.7e12 + at*100, Max: 1.7e12 + at*100 + rapid.Int64Range(0, 2e7).Draw(rt, "length")}
		want, got := 0, 0
		for g := range slices.Chunk(rows, 1<<17) {
			low, high := int64(math.MaxInt64), int64(math.MinInt64)
			for _, x := range g {
				if x.EventTime != nil {
					low, high = min(low, *x.EventTime), max(high, *x.EventTime)
				}
			}
			if low > high || low <= r.Max && high >= r.Min {
				want += len(g)
			}
		}
		footer, err := scanner(t, []string{"event_time"}, r).Scan(data, func(g *rawparquet.Group) error {
			got += g.Rows
			return nil
		})
		if err != nil || footer.Rows != int64(len(rows)) || got != want {
			rt.Fatalf("%d rows were read, %d expected: %v", got, want, err)
		}
	})
}

func TestScanRefuses(t *testing.T) {
	for name, f := range map[string]func() (*rawparquet.Scanner, error){
		"colour": func() (*rawparquet.Scanner, error) { return rawparquet.NewScanner([]string{"colour"}) },
		"size": func() (*rawparquet.Scanner, error) {
			return rawparquet.NewScanner(nil, rawparquet.Range{Column: "size"})
		},
		"integers": func() (*rawparquet.Scanner, error) {
			return rawparquet.NewScanner(nil, rawparquet.Range{Column: "price"})
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, s := encode(t, shopRows(200)), scanner(t, nil)
	mine := errors.New("mine")
	if _, err := s.Scan(data, func(*rawparquet.Group) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("the caller's error came back as %v", err)
	}
	ignore := func(*rawparquet.Group) error { return nil }
	for n := range len(data) {
		if _, err := s.Scan(data[:n], ignore); err == nil {
			t.Fatalf("the first %d of %d bytes were read without an error", n, len(data))
		}
	}
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("the caller's panic came back as %v", p)
		}
	}()
	_, err := s.Scan(data, func(*rawparquet.Group) error { panic("mine") })
	t.Errorf("the caller's panic was swallowed: %v", err)
}

// FuzzScan flips bits: rows may come out wrong (that is what checksums are for), the process must live.
func FuzzScan(f *testing.F) {
	data := encode(f, shopRows(100))
	f.Add(len(data)/2, byte(1))
	f.Add(len(data)-20, byte(0x80))
	s := scanner(f, nil)
	f.Fuzz(func(t *testing.T, at int, mask byte) {
		damaged := bytes.Clone(data)
		damaged[uint(at)%uint(len(damaged))] ^= mask
		_, _ = s.Scan(damaged, func(g *rawparquet.Group) error {
			for i := range g.Rows {
				if g.Offset.Values[i] == math.MaxInt64 || len(g.Payload.At(i)) > len(data) {
					continue
				}
			}
			return nil
		})
	})
}

func TestScanVerified(t *testing.T) {
	b, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const key = "raw/events/x.parquet"
	data := encode(t, shopRows(50))
	if _, err := b.Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
	size, sum := int64(len(data)), model.SHA256Hex(data)
	s := scanner(t, []string{"offset"})
	scan := func(b *bucket.Bucket, sum string) error {
		_, err := s.ScanVerified(t.Context(), b, key, size, sum, func(*rawparquet.Group) error { return nil })
		return err
	}
	if err := scan(b, sum); err != nil {
		t.Fatal(err)
	}
	corrupt, _ := errbucket.Wrap(b, errbucket.Fault{Effect: errbucket.Corrupt})
	for name, err := range map[string]error{"sum": scan(b, strings.Repeat("0", 64)), "bit": scan(corrupt, sum)} {
		if !errors.Is(err, rawparquet.ErrDamaged) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	rows := shopRows(200_000)
	data, s := encode(b, rows), scanner(b, nil)
	for b.Loop() {
		if _, err := s.Scan(data, func(*rawparquet.Group) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
