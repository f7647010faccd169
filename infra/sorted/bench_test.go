package sorted_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/anabranch/anabranch/infra/sorted"
)

// The benchmarks of tables use 200,000 rows of 14-byte keys and random 1 KiB values, 208 MB, as those of
// compare/, which measure Pebble's sstable, do.
// SORTED_BENCH_ROWS names another number of rows: 5000000 make 5.3 GB.
const rowsVariable = "SORTED_BENCH_ROWS"

// benchRows returns the number of rows and their bytes.
func benchRows(b *testing.B) (rows int, size int64) {
	b.Helper()
	rows = 200_000
	if text := os.Getenv(rowsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			b.Fatalf("%s is %q, expected a number of rows", rowsVariable, text)
		}
		rows = n
	}
	return rows, int64(rows) * (14 + 1024)
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "user-%09d", i) }

// adder is what is filled with the benchmark's rows.
type adder interface {
	Add(key, value []byte) error
}

func addBenchRows(b *testing.B, w adder) {
	b.Helper()
	rows, _ := benchRows(b)
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, 1024)
	for i := range rows {
		_, _ = random.Read(value) // never fails
		if err := w.Add(benchKey(2*i), value); err != nil {
			b.Fatal(err)
		}
	}
}

func writeBenchTable(b *testing.B, path string) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := sorted.NewWriter(f, sorted.Options{})
	addBenchRows(b, w)
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

func openBenchTable(b *testing.B) *sorted.Reader {
	b.Helper()
	path := filepath.Join(b.TempDir(), "table")
	writeBenchTable(b, path)
	r, err := sorted.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() })
	return r
}

// benchGet reads random rows, all of which have been read before. odd makes every key absent.
func benchGet(b *testing.B, odd int) {
	rows, _ := benchRows(b)
	r := openBenchTable(b)
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = benchKey(2*rng.IntN(rows) + odd)
	}
	for it := r.Iter(); it.Next(); {
		continue
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, found, err := r.Get(keys[i%len(keys)])
		if err != nil || found != (odd == 0) {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkGetHit(b *testing.B)  { benchGet(b, 0) }
func BenchmarkGetMiss(b *testing.B) { benchGet(b, 1) }

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "table")
	writeBenchTable(b, path)
	b.ReportAllocs()
	for b.Loop() {
		r, err := sorted.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIterate(b *testing.B) {
	rows, size := benchRows(b)
	r := openBenchTable(b)
	b.SetBytes(size)
	for b.Loop() {
		n, it := 0, r.Iter()
		for it.Next() {
			n++
		}
		if n != rows || it.Err() != nil {
			b.Fatal(n, it.Err())
		}
	}
}

func BenchmarkSeek(b *testing.B) {
	rows, _ := benchRows(b)
	r := openBenchTable(b)
	rng := rand.New(rand.NewPCG(1, 2))
	it := r.Iter()
	for b.Loop() {
		if it.Seek(benchKey(rng.IntN(2*rows - 1))); !it.Next() {
			b.Fatal(it.Err())
		}
	}
}

// BenchmarkWrite includes making the random values, as that of compare/ does.
func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "table")
	_, size := benchRows(b)
	b.SetBytes(size)
	for b.Loop() {
		writeBenchTable(b, path)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "peak-MB") // what Go ever had of the system
}

func BenchmarkWriteRun(b *testing.B) {
	_, size := benchRows(b)
	b.SetBytes(size)
	for b.Loop() {
		w := sorted.NewRunWriter(io.Discard)
		addBenchRows(b, w)
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge merges 16 runs of 100,000 rows of about 80 bytes each, whose keys interleave.
func BenchmarkMerge(b *testing.B) {
	const runs, rows = 16, 100_000
	data := make([][]byte, runs)
	total := 0
	for r := range data {
		var out bytes.Buffer
		w := sorted.NewRunWriter(&out)
		for i := range rows {
			if err := w.Add(benchKey(i*runs+r), make([]byte, 64)); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		data[r] = out.Bytes()
		total += out.Len()
	}
	b.SetBytes(int64(total))
	for b.Loop() {
		var sources []sorted.Source
		for r := range data {
			sources = append(sources, sorted.NewRunReader(bufio.NewReader(bytes.NewReader(data[r])), "run"))
		}
		n, m := 0, sorted.Merge(sources...)
		for m.Next() {
			n++
		}
		if n != runs*rows || m.Err() != nil {
			b.Fatal(n, m.Err())
		}
	}
	b.ReportMetric(float64(b.N)*runs*rows/b.Elapsed().Seconds(), "rows/s")
}
