package buckettest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/anabranch/anabranch/infra/bucket"
)

// stored is what the model knows of an object.
type stored struct {
	data []byte
	etag string
}

// testModel runs random operations on a bucket and on a map.
func testModel(t *testing.T, open func() *bucket.Bucket) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{t: t, b: open(), root: fmt.Sprintf("run%d/", run), objects: map[string]stored{}}
		for range rapid.IntRange(1, 12).Draw(rt, "operations") {
			if err := m.step(rt); err != nil {
				rt.Fatal(err)
			}
		}
		if err := m.compareList(""); err != nil {
			rt.Fatal(err)
		}
	})
}

type model struct {
	t       *testing.T
	b       *bucket.Bucket
	root    string // keeps the runs apart
	objects map[string]stored
}

func (m *model) step(rt *rapid.T) error {
	ctx := m.t.Context()
	key := m.root + rapid.SampledFrom([]string{"a", "b/x", "b/y", "b-"}).Draw(rt, "key")
	data := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "data")
	old, exists := m.objects[key]
	switch op := rapid.SampledFrom([]string{"put", "absent", "match", "get", "delete", "list"}).Draw(rt, "op"); op {
	case "put":
		etag, err := m.b.Put(ctx, key, data)
		return m.wrote(key, data, etag, err, nil)
	case "absent":
		etag, err := m.b.PutIfAbsent(ctx, key, data)
		return m.wrote(key, data, etag, err, when(exists, bucket.ErrExists))
	case "match":
		expected := rapid.SampledFrom(append(m.etags(), `"00000000000000000000000000000000"`)).Draw(rt, "etag")
		etag, err := m.b.PutIfMatch(ctx, key, data, expected)
		return m.wrote(key, data, etag, err, when(!exists || old.etag != expected, bucket.ErrPrecondition))
	case "get":
		return m.compareGet(key)
	case "delete":
		delete(m.objects, key)
		return m.b.Delete(ctx, key)
	default:
		return m.compareList(rapid.SampledFrom([]string{"", "b", "b/", "b/x"}).Draw(rt, "prefix"))
	}
}

func when(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// etags returns those of all objects, in the order of their keys.
func (m *model) etags() []string {
	var etags []string
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		etags = append(etags, m.objects[key].etag)
	}
	return etags
}

// wrote compares the outcome of a write with what the model expects.
func (m *model) wrote(key string, data []byte, etag string, err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("write %s: error %s, want %s", key, fmt.Sprint(err), fmt.Sprint(want))
	}
	if err == nil {
		m.objects[key] = stored{data, etag}
	}
	return nil
}

func (m *model) compareGet(key string) error {
	data, attrs, err := m.b.Get(m.t.Context(), key)
	want, exists := m.objects[key]
	switch {
	case !exists && errors.Is(err, bucket.ErrNotExist):
		return nil
	case !exists:
		return fmt.Errorf("get %s: error %s, want ErrNotExist", key, fmt.Sprint(err))
	case err != nil:
		return err
	case !bytes.Equal(data, want.data) || attrs.ETag != want.etag:
		return fmt.Errorf("get %s = %x %s, want %x %s", key, data, attrs.ETag, want.data, want.etag)
	}
	return nil
}

func (m *model) compareList(prefix string) error {
	listed, err := m.b.List(m.t.Context(), m.root+prefix)
	if err != nil {
		return err
	}
	var want []bucket.Attrs
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if o := m.objects[key]; strings.HasPrefix(key, m.root+prefix) {
			want = append(want, bucket.Attrs{Key: key, Size: int64(len(o.data)), ETag: o.etag})
		}
	}
	if !slices.Equal(listed, want) {
		return fmt.Errorf("list %q = %v, want %v", prefix, listed, want)
	}
	return nil
}
