package buckettest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
)

// file writes a local file.
func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func testPutFileIfAbsent(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	large := make([]byte, 9<<20+1)
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"empty": {}, "text": []byte("hello"), "large": large} {
		key, path := "files/"+name, file(t, data)
		etag, err := b.PutFileIfAbsent(t.Context(), key, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("the file is used for something else"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantObject(t, open(), key, data, etag)
		for _, other := range [][]byte{data, []byte("other")} {
			_, err = open().PutFileIfAbsent(t.Context(), key, file(t, other))
			wantErr(t, "PutFileIfAbsent over an object", err, bucket.ErrExists)
		}
		wantObject(t, b, key, data, etag)
	}
	missing := filepath.Join(t.TempDir(), "none")
	if _, err := b.PutFileIfAbsent(t.Context(), "files/none", missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("PutFileIfAbsent of a missing file: %v, want an error that names it", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.PutFileIfAbsent(ctx, "files/none", file(t, large)); !errors.Is(err, context.Canceled) {
		t.Errorf("PutFileIfAbsent after its context ended: %v", err)
	}
	wantKeys(t, b, "files/none")
}

// testPath is about drivers that keep objects in files; for all others there is no path.
func testPath(t *testing.T, open func() *bucket.Bucket) {
	b := open()
	path, ok, err := b.Path("some/key")
	if err != nil || !ok {
		if path != "" || err != nil {
			t.Errorf("Path = %q, %v, %v", path, ok, err)
		}
		return
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path of a missing object: %v", err)
	}
	for _, data := range [][]byte{[]byte("one"), []byte("two")} {
		put(t, b, "some/key", data)
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the file holds %q, %v", got, err)
		}
	}
	_, _, err = b.Path("../key")
	wantErr(t, "Path of ../key", err, bucket.ErrInvalidKey)
}

// testRacePutFileIfAbsent races with short files, and with files so long that a server may refuse them
// while they are under way.
func testRacePutFileIfAbsent(t *testing.T, open func() *bucket.Bucket) {
	all := handles(open)
	for round, length := range []int{0, 0, 1 << 20, 3 << 20} {
		content := func(i int) []byte {
			return append([]byte("writer "+strconv.Itoa(i)), make([]byte, length)...)
		}
		files := make([]string, racers)
		for i := range files {
			files[i] = file(t, content(i))
		}
		key := fmt.Sprintf("race/%d/k", round)
		etags := make([]string, racers)
		won := inParallel(racers, func(i int) (err error) {
			etags[i], err = all[i].PutFileIfAbsent(t.Context(), key, files[i])
			return err
		}).winner(t, bucket.ErrExists)
		wantObject(t, open(), key, content(won), etags[won])
	}
}
