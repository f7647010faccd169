package compare

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The rows of package sorted's benchmarks.
const (
	benchRows  = 200_000
	benchBytes = benchRows * (14 + 1024)
)

var (
	filter  = bloom.FilterPolicy(10)
	filters = map[string]sstable.FilterPolicy{filter.Name(): filter}
)

func benchKey(i int) []byte { return fmt.Appendf(nil, "user-%09d", i) }

// writeTable writes without compression, as random values gain nothing by it.
func writeTable(b testing.TB, path string, rows int) {
	b.Helper()
	f, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		BlockSize: 4096, FilterPolicy: filter, FilterType: sstable.TableFilter, Compression: sstable.NoCompression,
		TableFormat: sstable.TableFormatMax, DisableValueBlocks: true, Checksum: block.ChecksumTypeXXHash64,
	})
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, 1024)
	for i := range rows {
		_, _ = random.Read(value) // never fails
		if err := w.Set(benchKey(2*i), value); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func openBenchTable(b *testing.B, cacheBytes int64) *sstable.Reader {
	b.Helper()
	path := filepath.Join(b.TempDir(), "table")
	writeTable(b, path, benchRows)
	f, err := vfs.Default.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	readable, err := objstorageprovider.NewFileReadable(f, vfs.Default, objstorageprovider.NewReadaheadConfig(), path)
	if err != nil {
		b.Fatal(err)
	}
	o := sstable.ReaderOptions{Filters: filters}
	cache := pebble.NewCache(cacheBytes)
	handle := cache.NewHandle()
	o.CacheOpts.CacheHandle, o.CacheOpts.FileNum = handle, 1
	r, err := sstable.NewReader(context.Background(), readable, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		r.Close()
		handle.Close()
		cache.Unref()
	})
	return r
}

// get copies the value into dst, because it is valid only until the iterator is closed.
func get(r *sstable.Reader, key, dst []byte) ([]byte, bool, error) {
	it, err := r.NewPointIter(context.Background(), sstable.IterOptions{
		Transforms: sstable.NoTransforms, FilterBlockSizeLimit: sstable.AlwaysUseFilterBlock,
		ReaderProvider: sstable.MakeTrivialReaderProvider(r),
	})
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	kv := it.SeekPrefixGE(key, key, 0)
	if kv == nil || !bytes.Equal(kv.K.UserKey, key) {
		return nil, false, it.Error()
	}
	value, _, err := kv.Value(nil)
	return append(dst[:0], value...), true, err
}

func iterate(b *testing.B, r *sstable.Reader) {
	b.Helper()
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		b.Fatal(err)
	}
	defer it.Close()
	n := 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		n++
	}
	if n != benchRows || it.Error() != nil {
		b.Fatal(n, it.Error())
	}
}

func benchGet(b *testing.B, odd int, cacheBytes int64) {
	r := openBenchTable(b, cacheBytes)
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = benchKey(2*rng.IntN(benchRows) + odd)
	}
	iterate(b, r)
	dst := make([]byte, 0, 2048)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, found, err := get(r, keys[i%len(keys)], dst)
		if err != nil || found != (odd == 0) {
			b.Fatal(found, err)
		}
	}
}

// The whole table fits the cache.
func BenchmarkGetHit(b *testing.B)  { benchGet(b, 0, 512<<20) }
func BenchmarkGetMiss(b *testing.B) { benchGet(b, 1, 512<<20) }

// A tenth of the table fits the cache; the rest comes from the system's page cache.
func BenchmarkGetHitSmallCache(b *testing.B) { benchGet(b, 0, 20<<20) }

func BenchmarkIterate(b *testing.B) {
	r := openBenchTable(b, 512<<20)
	iterate(b, r)
	b.SetBytes(benchBytes)
	for b.Loop() {
		iterate(b, r)
	}
}

func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "table")
	b.SetBytes(benchBytes)
	for b.Loop() {
		writeTable(b, path, benchRows)
	}
}
