// Package buckettest is the suite that every bucket driver passes. A driver's
// test calls Run with a Harness; a promise that bucket's documentation makes
// belongs into this suite and not into a driver's own test.
package buckettest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anabranch/anabranch/infra/bucket"
)

// Harness connects the suite to a driver.
type Harness struct {
	// New makes an empty bucket and returns a function that opens a handle on it.
	// Races are run between handles, so each should be as independent of the
	// others as two processes are.
	New func(t *testing.T) (open func() *bucket.Bucket)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	tests := []struct {
		name string
		run  func(t *testing.T, open func() *bucket.Bucket)
	}{
		{"RoundTrip", testRoundTrip},
		{"Overwrite", testOverwrite},
		{"Missing", testMissing},
		{"PutIfAbsent", testPutIfAbsent},
		{"PutFileIfAbsent", testPutFileIfAbsent},
		{"Path", testPath},
		{"PutIfMatch", testPutIfMatch},
		{"Delete", testDelete},
		{"ListOrder", testListOrder},
		{"ListPages", testListPages},
		{"Keys", testKeys},
		{"InvalidKeys", testInvalidKeys},
		{"JSON", testJSON},
		{"Check", testCheck},
		{"RacePutIfAbsent", testRacePutIfAbsent},
		{"RacePutFileIfAbsent", testRacePutFileIfAbsent},
		{"RacePutIfMatch", testRacePutIfMatch},
		{"RaceCounter", testRaceCounter},
		{"RaceReaders", testRaceReaders},
		{"Model", testModel},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, h.New(t)) })
	}
}

func put(t *testing.T, b *bucket.Bucket, key string, data []byte) string {
	t.Helper()
	etag, err := b.Put(t.Context(), key, data)
	if err != nil {
		t.Fatal(err)
	}
	if etag == "" {
		t.Fatalf("Put(%q) returned no ETag", key)
	}
	return etag
}

// wantObject checks everything that can be known of an object.
func wantObject(t *testing.T, b *bucket.Bucket, key string, data []byte, etag string) {
	t.Helper()
	want := bucket.Attrs{Key: key, Size: int64(len(data)), ETag: etag}
	got, attrs, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("Get(%q) returned %d bytes that differ from the %d written", key, len(got), len(data))
	}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Fatalf("Get(%q) attributes (-want +got):\n%s", key, diff)
	}
	if attrs, err = b.Head(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Fatalf("Head(%q) (-want +got):\n%s", key, diff)
	}
	listed, err := b.List(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(listed, want) {
		t.Fatalf("List(%q) = %v, lacks %v", key, listed, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

func keysOf(objects []bucket.Attrs) []string {
	keys := []string{}
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func wantKeys(t *testing.T, b *bucket.Bucket, prefix string, want ...string) {
	t.Helper()
	objects, err := b.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, keysOf(objects)); diff != "" {
		t.Fatalf("List(%q) (-want +got):\n%s", prefix, diff)
	}
}

func testRoundTrip(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	large := make([]byte, 3<<20+1)
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("hello\r\n"), "binary": every, "zeros": make([]byte, 70_000), "large": large,
	} {
		etag := put(t, b, "round/"+name, data)
		wantObject(t, open(), "round/"+name, data, etag)
	}
	r, attrs, err := b.Open(t.Context(), "round/large")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, large) || attrs.Size != int64(len(large)) {
		t.Fatalf("Open streamed %d bytes, announced %d, wrote %d", len(got), attrs.Size, len(large))
	}
}

func testOverwrite(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	first := put(t, b, "k", []byte("a longer first version"))
	second := put(t, b, "k", []byte("second"))
	if first == second {
		t.Fatalf("two contents have the ETag %s", first)
	}
	wantObject(t, b, "k", []byte("second"), second)
	wantObject(t, b, "k", []byte{}, put(t, b, "k", nil))
}

func testMissing(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	put(t, b, "dir/file", []byte("x"))
	for _, key := range []string{"none", "dir", "dir/none", "none/none", "dir/fil", "dir/file2"} {
		_, _, err := b.Get(t.Context(), key)
		wantErr(t, "Get "+key, err, bucket.ErrNotExist)
		_, err = b.Head(t.Context(), key)
		wantErr(t, "Head "+key, err, bucket.ErrNotExist)
		if !strings.Contains(err.Error(), key) {
			t.Errorf("the error does not name the key %q: %v", key, err)
		}
	}
	wantKeys(t, b, "none")
	wantKeys(t, b, "none/")
	wantKeys(t, b, "dir/file/")
}

func testPutIfAbsent(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	etag, err := b.PutIfAbsent(t.Context(), "deep/er/k", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"second", "first", ""} {
		_, err := open().PutIfAbsent(t.Context(), "deep/er/k", []byte(data))
		wantErr(t, "PutIfAbsent over an object", err, bucket.ErrExists)
	}
	wantObject(t, b, "deep/er/k", []byte("first"), etag)
	if err := b.Delete(t.Context(), "deep/er/k"); err != nil {
		t.Fatal(err)
	}
	etag, err = b.PutIfAbsent(t.Context(), "deep/er/k", nil)
	if err != nil {
		t.Fatal("after Delete:", err)
	}
	_, err = b.PutIfAbsent(t.Context(), "deep/er/k", []byte("x"))
	wantErr(t, "PutIfAbsent over an empty object", err, bucket.ErrExists)
	wantObject(t, b, "deep/er/k", nil, etag)
}

func testPutIfMatch(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	old := put(t, b, "k", []byte("one"))
	_, err := b.PutIfMatch(t.Context(), "none", []byte("x"), old)
	wantErr(t, "PutIfMatch of a missing object", err, bucket.ErrPrecondition)
	_, err = b.PutIfMatch(t.Context(), "none/none", []byte("x"), old)
	wantErr(t, "PutIfMatch in a missing directory", err, bucket.ErrPrecondition)
	wantKeys(t, b, "", "k")

	etag, err := open().PutIfMatch(t.Context(), "k", []byte("two"), old)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.PutIfMatch(t.Context(), "k", []byte("three"), old)
	wantErr(t, "PutIfMatch of an old version", err, bucket.ErrPrecondition)
	wantObject(t, b, "k", []byte("two"), etag)
	if _, err := b.PutIfMatch(t.Context(), "k", []byte("x"), ""); err == nil {
		t.Fatal("PutIfMatch without an ETag succeeded")
	}
	listed, err := b.List(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutIfMatch(t.Context(), "k", []byte("three"), listed[0].ETag); err != nil {
		t.Fatal("with the ETag of List:", err)
	}
}

func testDelete(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	put(t, b, "d/a", []byte("x"))
	put(t, b, "d/ab", []byte("x"))
	for _, key := range []string{"d/a", "d/a", "never", "never/never", "d"} {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, b, "", "d/ab")
	_, _, err := b.Get(t.Context(), "d/a")
	wantErr(t, "Get of a deleted object", err, bucket.ErrNotExist)
	put(t, b, "d/a", []byte("again"))
	wantKeys(t, b, "", "d/a", "d/ab")
}

func testListOrder(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	// Directory order differs from key order: '-' and '.' sort before '/'.
	want := []string{"a-b", "a.b", "a/b", "a/b-c/d", "a/b.c", "a0", "b/00000000000000000009", "b/00000000000000000010", "É", "é"}
	for _, key := range slices.Backward(want) {
		put(t, b, key, []byte(key))
	}
	wantKeys(t, b, "", want...)
	wantKeys(t, b, "a", want[:6]...)
	wantKeys(t, b, "a/", want[2:5]...)
	wantKeys(t, b, "a/b", want[2:5]...)
	wantKeys(t, b, "a/b-", "a/b-c/d")
	wantKeys(t, b, "a/b-c/", "a/b-c/d")
	wantKeys(t, b, "b/0", want[6:8]...)
	wantKeys(t, b, "c")
}

func testListPages(t *testing.T, open func() *bucket.Bucket) {
	const n = 1100 // S3 pages have 1000
	b := open()
	want := make([]string, n)
	inParallel(8, func(worker int) error {
		for i := worker; i < n; i += 8 {
			want[i] = fmt.Sprintf("pages/%04d", i)
			if _, err := b.PutIfAbsent(t.Context(), want[i], []byte{byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}).check(t)
	put(t, b, "pages0", nil)
	wantKeys(t, b, "pages/", want...)
	wantKeys(t, b, "pages/10", want[1000:1100]...)
}

func testKeys(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	keys := []string{
		"epoch_date=2026-11-22/x.parquet", "with space", "plus+and%20percent", "q?x=1&y#z", "~'\"()!*;:@,$",
		"日本語/ключ/🦆", "e\u0301 decomposed", "...", "..x/.hidden", `back\slash`, "UPPER/upper", "upper/UPPER",
		strings.Repeat("s", bucket.MaxSegment),
		strings.Repeat(strings.Repeat("d", 200)+"/", 4) + strings.Repeat("e", 100),
	}
	for _, key := range keys {
		wantObject(t, b, key, []byte(key), put(t, b, key, []byte(key)))
	}
	slices.Sort(keys)
	wantKeys(t, b, "", keys...)
}

func testInvalidKeys(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/./b", "a\x00b", "a\nb",
		"bad\xff", strings.Repeat("s", bucket.MaxSegment+1), strings.Repeat("long/", 205) + "x",
	} {
		_, _, err := b.Get(t.Context(), key)
		wantErr(t, fmt.Sprintf("Get %q", key), err, bucket.ErrInvalidKey)
		_, err = b.Head(t.Context(), key)
		wantErr(t, fmt.Sprintf("Head %q", key), err, bucket.ErrInvalidKey)
		_, err = b.Put(t.Context(), key, []byte("x"))
		wantErr(t, fmt.Sprintf("Put %q", key), err, bucket.ErrInvalidKey)
		_, err = b.PutIfAbsent(t.Context(), key, []byte("x"))
		wantErr(t, fmt.Sprintf("PutIfAbsent %q", key), err, bucket.ErrInvalidKey)
		_, err = b.PutIfMatch(t.Context(), key, []byte("x"), "etag")
		wantErr(t, fmt.Sprintf("PutIfMatch %q", key), err, bucket.ErrInvalidKey)
		_, err = b.PutFileIfAbsent(t.Context(), key, file(t, []byte("x")))
		wantErr(t, fmt.Sprintf("PutFileIfAbsent %q", key), err, bucket.ErrInvalidKey)
		wantErr(t, fmt.Sprintf("Delete %q", key), b.Delete(t.Context(), key), bucket.ErrInvalidKey)
	}
	for _, prefix := range []string{"/", "a//", "../", "a/../b", "bad\xff"} {
		_, err := b.List(t.Context(), prefix)
		wantErr(t, fmt.Sprintf("List %q", prefix), err, bucket.ErrInvalidKey)
	}
	wantKeys(t, b, "")
}

func testJSON(t *testing.T, open func() *bucket.Bucket) {
	type object struct {
		Name  string         `json:"name"`
		Count map[string]int `json:"count"`
	}
	b := open()
	want := object{"x", map[string]int{"b": 2, "a": 1}}
	etag, err := b.PutJSONIfAbsent(t.Context(), "j.json", want)
	if err != nil {
		t.Fatal(err)
	}
	wantObject(t, b, "j.json", []byte(`{"name":"x","count":{"a":1,"b":2}}`), etag)
	_, err = b.PutJSONIfAbsent(t.Context(), "j.json", want)
	wantErr(t, "PutJSONIfAbsent over an object", err, bucket.ErrExists)
	var got object
	attrs, err := b.GetJSON(t.Context(), "j.json", &got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || attrs.ETag != etag {
		t.Fatalf("GetJSON, ETag %s, want %s (-want +got):\n%s", attrs.ETag, etag, diff)
	}
	if _, err := b.PutJSONIfMatch(t.Context(), "j.json", got, "\"0\""); !errors.Is(err, bucket.ErrPrecondition) {
		t.Fatalf("PutJSONIfMatch with another ETag: %v", err)
	}
	for _, bad := range []string{`{"name":"x","other":1}`, `{"name":"x","name":"y"}`, `{"name":"x"}{}`, `{"nam`, ``} {
		put(t, b, "bad.json", []byte(bad))
		if _, err := b.GetJSON(t.Context(), "bad.json", &got); err == nil || !strings.Contains(err.Error(), "bad.json") {
			t.Errorf("GetJSON of %s: error %v, want one that names the object", bad, err)
		}
	}
}

func testCheck(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	if err := b.Check(t.Context(), "check/object"); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, b, "")
}
