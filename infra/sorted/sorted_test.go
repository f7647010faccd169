package sorted_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/sorted"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tester is what *testing.T, *testing.B, *testing.F and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// write returns the table of rows, with segments of the given size.
func write(t tester, rows map[string]string, segment int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := sorted.NewWriter(&out, sorted.Options{SegmentBytes: segment})
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if err := w.Add([]byte(key), []byte(rows[key])); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	want := sorted.Info{Rows: int64(len(rows)), Bytes: int64(out.Len()), SHA256: hex.EncodeToString(sum[:])}
	if info != want {
		t.Fatalf("Close says %+v, the file is %+v", info, want)
	}
	return out.Bytes()
}

func open(t tester, data []byte) *sorted.Reader {
	t.Helper()
	r, err := sorted.OpenBytes(data, "table")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// drawRows draws rows with keys that are often close to each other.
func drawRows(t *rapid.T) map[string]string {
	key := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00ÿ")), 0, 4, -1),
		rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("user-%04d", rapid.IntRange(0, 300).Draw(t, "user")) }),
	)
	value := rapid.OneOf(rapid.StringN(0, 20, -1), rapid.SampledFrom([]string{"", strings.Repeat("v", 1000)}))
	return rapid.MapOfN(key, value, 0, 120).Draw(t, "rows")
}

// TestTableIsTheMap writes any rows and reads them back by Get, Iter and Seek.
func TestTableIsTheMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		data := write(t, rows, rapid.SampledFrom([]int{1, 50, 2000, 0}).Draw(t, "segment"))
		r := open(t, data)
		keys := slices.Sorted(maps.Keys(rows))
		if r.Rows() != int64(len(keys)) || r.Bytes() != int64(len(data)) {
			t.Fatalf("%d rows in %d bytes, want %d in %d", r.Rows(), r.Bytes(), len(keys), len(data))
		}
		checkIter(t, r.Iter(), keys, rows)
		probes := append(slices.Clone(keys), "", "a", "a\x00", "user-0150", "user-015", "\xff", "zzz")
		for _, key := range probes {
			value, found, err := r.Get([]byte(key))
			want, wantFound := rows[key]
			if err != nil || found != wantFound || string(value) != want {
				t.Fatalf("Get(%q) = %q, %t, %v, want %q, %t", key, value, found, err, want, wantFound)
			}
			at, _ := slices.BinarySearch(keys, key)
			it := r.Iter()
			it.Seek([]byte(key))
			checkIter(t, it, keys[at:], rows)
		}
	})
}

func checkIter(t tester, it sorted.Source, keys []string, rows map[string]string) {
	t.Helper()
	for i, key := range keys {
		if !it.Next() {
			t.Fatalf("row %d of %d: no row, %v", i, len(keys), it.Err())
		}
		if string(it.Key()) != key || string(it.Value()) != rows[key] {
			t.Fatalf("row %d is %q: %q, want %q: %q", i, it.Key(), it.Value(), key, rows[key])
		}
	}
	mustEnd(t, it)
}

// mustEnd wants no further row, however often it is asked for, and no error.
func mustEnd(t tester, s sorted.Source) {
	t.Helper()
	for range 2 {
		if s.Next() {
			t.Fatalf("a row too many: %q", s.Key())
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestEqualRowsGiveEqualBytes also proves that the writer keeps nothing of the caller's slices.
func TestEqualRowsGiveEqualBytes(t *testing.T) {
	rows := someRows(500)
	first := write(t, rows, 4000)
	var out bytes.Buffer
	w := sorted.NewWriter(&out, sorted.Options{SegmentBytes: 4000})
	key, value := make([]byte, 0, 100), make([]byte, 0, 1000)
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		key, value = append(key[:0], k...), append(value[:0], rows[k]...)
		if err := w.Add(key, value); err != nil {
			t.Fatal(err)
		}
		clear(key)
		clear(value)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, out.Bytes()) {
		t.Fatal("the same rows gave other bytes")
	}
}

// someRows returns n rows with values of 0 to 99 bytes.
func someRows(n int) map[string]string {
	rows := make(map[string]string, n)
	for i := range n {
		rows[fmt.Sprintf("user-%06d", 2*i)] = strings.Repeat(string(rune('a'+i%26)), i*37%100)
	}
	return rows
}

func TestWriterRefuses(t *testing.T) {
	long := make([]byte, sorted.MaxKey+1)
	for name, c := range map[string]struct {
		keys [][]byte
		want string
	}{
		"equal keys":   {[][]byte{[]byte("a"), []byte("a")}, "row 1 does not come after"},
		"falling keys": {[][]byte{[]byte("b"), []byte("a")}, "row 1 does not come after"},
		"empty twice":  {[][]byte{nil, nil}, "row 1 does not come after"},
		"long key":     {[][]byte{long}, "65536 bytes, at most 65535"},
	} {
		w := sorted.NewWriter(&bytes.Buffer{}, sorted.Options{})
		var err error
		for _, key := range c.keys {
			err = w.Add(key, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if _, again := w.Close(); !errors.Is(again, err) {
			t.Errorf("%s: Close after the error says %v", name, again)
		}
	}
	if err := sorted.NewWriter(&bytes.Buffer{}, sorted.Options{SegmentBytes: -1}).Add(nil, nil); err == nil {
		t.Error("a segment size of -1 is accepted")
	}
}

func TestClosedWriterRefuses(t *testing.T) {
	w := sorted.NewWriter(&bytes.Buffer{}, sorted.Options{})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err == nil {
		t.Error("Close twice is accepted")
	}
	if err := w.Add([]byte("a"), nil); err == nil {
		t.Error("Add after Close is accepted")
	}
}

type failing struct{ after int }

var errFull = errors.New("disk full")

func (f *failing) Write(b []byte) (int, error) {
	if f.after -= len(b); f.after < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteErrorsAreReported(t *testing.T) {
	for after := 0; after < 3000; after += 500 {
		w := sorted.NewWriter(&failing{after: after}, sorted.Options{SegmentBytes: 300})
		for i := range 100 {
			_ = w.Add(fmt.Appendf(nil, "%03d", i), make([]byte, 30)) // Close reports it
		}
		if _, err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", after, err)
		}
	}
}

// TestWriterMemory writes 64 MB, of which no more than segments may ever be in memory. What this test and the
// race detector allocate themselves is in the count.
func TestWriterMemory(t *testing.T) {
	const limit = 16 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := sorted.NewWriter(io.Discard, sorted.Options{})
	var key []byte
	value := make([]byte, 1024)
	for i := range 64 << 10 {
		key = fmt.Appendf(key[:0], "user-%09d", i)
		if err := w.Add(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > limit {
		t.Errorf("%d bytes allocated, freed ones included, at most %d are accepted", n, limit)
	}
}

// TestManyReaders reads one mapped file from several goroutines; run it with -race.
func TestManyReaders(t *testing.T) {
	rows := someRows(3000)
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, write(t, rows, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := sorted.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				key := fmt.Sprintf("user-%06d", rng.IntN(6000))
				value, found, err := r.Get([]byte(key))
				if want, ok := rows[key]; err != nil || found != ok || string(value) != want {
					t.Errorf("Get(%q) = %q, %t, %v", key, value, found, err)
					return
				}
			}
			n := int64(0)
			it := r.Iter()
			for it.Next() {
				n++
			}
			if n != r.Rows() || it.Err() != nil {
				t.Errorf("read %d of %d rows, %v", n, r.Rows(), it.Err())
			}
		})
	}
	wg.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	r := open(t, write(t, someRows(1000), 5000))
	hit, miss := []byte("user-000500"), []byte("user-000501")
	if n := testing.AllocsPerRun(100, func() {
		_, a, err1 := r.Get(hit)
		_, b, err2 := r.Get(miss)
		if !a || b || err1 != nil || err2 != nil {
			t.Fatal(a, b, err1, err2)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent")
	if _, err := sorted.Open(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("absent file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sorted.Open(path); !errors.Is(err, sorted.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("empty file: %v", err)
	}
}
