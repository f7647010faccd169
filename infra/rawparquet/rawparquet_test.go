package rawparquet_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/errbucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
	"github.com/anabranch/anabranch/infra/rawparquet"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// span is the metadata of a test file with n rows.
func span(n int) rawparquet.Span { return rawparquet.SpanOf("topic", 3, 7, 100, 100+int64(n)+5, n) }

func encode(t testing.TB, rows []event.Raw) []byte {
	t.Helper()
	data, err := rawparquet.Encode(rows, span(len(rows)).Meta())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readAll reads every row and, if data says anything else than n rows of span(n), fails.
func readAll(t testing.TB, data []byte) []event.Raw {
	t.Helper()
	var got []event.Raw
	footer, err := rawparquet.Read(data, nil, func(b rawparquet.Batch) error {
		for r := range b.Rows {
			got = append(got, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := footer.Span()
	if err != nil {
		t.Fatal(err)
	}
	if want := span(len(got)); s != want {
		t.Fatalf("span %+v, want %+v", s, want)
	}
	return got
}

func drawRow(t *rapid.T) event.Raw {
	str := rapid.OneOf(rapid.StringN(0, 12, -1), rapid.SampledFrom([]string{"", "view", "cart", "日本", "é\x00ü", strings.Repeat("x", 300)}))
	text := rapid.Ptr(str, true)
	float := rapid.Ptr(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.Inf(1), math.MaxFloat64})), true)
	r := event.Raw{
		TopicID: str.Draw(t, "topic"), Partition: rapid.Int32().Draw(t, "partition"),
		Offset: rapid.Int64().Draw(t, "offset"), LogTime: rapid.Int64().Draw(t, "log time"),
		EventID: text.Draw(t, "event"), UserID: text.Draw(t, "user"), ItemID: text.Draw(t, "item"), Type: text.Draw(t, "type"),
		Value: float.Draw(t, "value"), EventTime: rapid.Ptr(rapid.Int64(), true).Draw(t, "event time"),
		SessionID: text.Draw(t, "session"), Context: text.Draw(t, "context"), Properties: text.Draw(t, "properties"),
		Category: text.Draw(t, "category"), Price: float.Draw(t, "price"), Reject: text.Draw(t, "reject"),
	}
	if rapid.Bool().Draw(t, "rejected") {
		bytes := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) *string { s := string(b); return &s })
		r.Key, r.Codec, r.Payload = bytes.Draw(t, "key"), bytes.Draw(t, "codec"), bytes.Draw(t, "payload")
	}
	return r
}

// exactly compares rows; floats by their bits.
var exactly = cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(drawRow)).Draw(rt, "rows")
		data := encode(t, rows)
		if d := cmp.Diff(rows, readAll(t, data), exactly, cmp.Transformer("empty", func(s []event.Raw) []event.Raw {
			return append([]event.Raw{}, s...)
		})); d != "" {
			rt.Fatal(d)
		}
		if !bytes.Equal(data, encode(t, rows)) {
			rt.Fatal("the same rows gave other bytes")
		}
	})
}

// shopRow is row i of a plausible log.
func shopRow(rng *rand.Rand, i int) event.Raw {
	text := func(prefix string, n int) *string {
		s := prefix + strings.Repeat("0", 4) + string(rune('a'+rng.IntN(26))) + string(rune('a'+rng.IntN(26))) + string(rune('a'+rng.IntN(n)))
		return &s
	}
	tm, price, kind, category := int64(1.7e12)+int64(i)*100, rng.Float64()*100, "view", "shoes"
	id := *text("0123456789abcdef-", 26) + string(rune('0'+i%10))
	return event.Raw{
		TopicID: "0123456789abcdef0123456789abcdef", Partition: 1, Offset: int64(i), LogTime: tm + 5,
		EventID: &id, UserID: text("u", 20), ItemID: text("i", 10), Type: &kind, EventTime: &tm,
		SessionID: text("s", 26), Category: &category, Price: &price,
	}
}

func shopRows(n int) []event.Raw {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]event.Raw, n)
	for i := range rows {
		rows[i] = shopRow(rng, i)
	}
	return rows
}

// TestRowGroups reads a file of several row groups, by columns and by rows.
func TestRowGroups(t *testing.T) {
	rows := shopRows(300_000)
	data := encode(t, rows)
	next := 0
	footer, err := rawparquet.Read(data, []string{"item_id", "offset", "event_time"}, func(b rawparquet.Batch) error {
		if b.UserID != nil || b.Payload != nil {
			t.Error("a column that was not asked for was read")
		}
		for i := range b.Len {
			r := rows[next]
			if b.Offset.Value(i) != r.Offset || b.ItemID.Value(i) != *r.ItemID || b.EventTime.Value(i) != *r.EventTime {
				t.Fatalf("row %d differs", next)
			}
			next++
		}
		return nil
	})
	if err != nil || next != len(rows) || footer.Rows != int64(len(rows)) {
		t.Fatalf("%d rows read of %d (footer %d): %v", next, len(rows), footer.Rows, err)
	}
}

func TestReadRefuses(t *testing.T) {
	data := encode(t, shopRows(10))
	ignore := func(rawparquet.Batch) error { return nil }
	if _, err := rawparquet.Read(data, []string{"colour"}, ignore); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("an unknown column: %v", err)
	}
	if _, err := rawparquet.Read(data, []string{}, ignore); err == nil {
		t.Error("no column at all was accepted")
	}
	mine := errors.New("mine")
	if _, err := rawparquet.Read(data, nil, func(rawparquet.Batch) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("the caller's error came back as %v", err)
	}
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("the caller's panic came back as %v", p)
		}
	}()
	_, err := rawparquet.Read(data, nil, func(rawparquet.Batch) error { panic("mine") })
	t.Errorf("the caller's panic was swallowed: %v", err)
}

// TestTruncated cuts a file everywhere: always an error, never a crash.
func TestTruncated(t *testing.T) {
	data := encode(t, shopRows(200))
	for n := range len(data) {
		if _, err := rawparquet.Read(data[:n], nil, func(rawparquet.Batch) error { return nil }); err == nil {
			t.Fatalf("the first %d of %d bytes were read without an error", n, len(data))
		}
	}
}

// FuzzRead flips bits: rows may come out wrong (that is what checksums are for), the process must live.
func FuzzRead(f *testing.F) {
	data := encode(f, shopRows(100))
	f.Add(len(data)/2, byte(1))
	f.Add(len(data)-20, byte(0x80))
	f.Fuzz(func(t *testing.T, at int, mask byte) {
		damaged := bytes.Clone(data)
		damaged[uint(at)%uint(len(damaged))] ^= mask
		_, _ = rawparquet.Read(damaged, nil, func(b rawparquet.Batch) error {
			for range b.Rows {
			}
			return nil
		})
	})
}

func TestReadVerified(t *testing.T) {
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
	read := func(b *bucket.Bucket, size int64, sum string) error {
		_, err := rawparquet.ReadVerified(t.Context(), b, key, size, sum, nil, func(rawparquet.Batch) error { return nil })
		return err
	}
	if err := read(b, size, sum); err != nil {
		t.Fatal(err)
	}
	corrupt, _ := errbucket.Wrap(b, errbucket.Fault{Effect: errbucket.Corrupt})
	for name, err := range map[string]error{
		"size": read(b, size+1, sum), "sum": read(b, size, strings.Repeat("0", 64)), "bit": read(corrupt, size, sum),
	} {
		if !errors.Is(err, rawparquet.ErrDamaged) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	rows := shopRows(200_000)
	for b.Loop() {
		b.SetBytes(int64(len(encode(b, rows))))
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	rows := shopRows(200_000)
	data := encode(b, rows)
	for b.Loop() {
		if _, err := rawparquet.Read(data, nil, func(rawparquet.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
