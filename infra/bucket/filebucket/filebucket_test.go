package filebucket_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/buckettest"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
)

func open(t *testing.T, dir string) *bucket.Bucket {
	t.Helper()
	b, err := filebucket.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	buckettest.Run(t, buckettest.Harness{
		New: func(t *testing.T) func() *bucket.Bucket {
			dir := filepath.Join(t.TempDir(), "made", "by", "open")
			return func() *bucket.Bucket { return open(t, dir) }
		},
	})
}

func TestOpenNamesADirectoryItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, filepath.Join(file, "below"))
	wantRefusal(t, file)
}

func TestOpenNamesAReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere; run the tests as another user")
	}
	dir := filepath.Join(t.TempDir(), "ro")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, dir)
}

func wantRefusal(t *testing.T, dir string) {
	t.Helper()
	_, err := filebucket.Open(dir)
	if err == nil {
		t.Fatalf("Open(%s) succeeded", dir)
	}
	for _, part := range []string{dir, "give this user write permission", "choose another directory"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}

func TestTemporaryFilesAreInvisible(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if _, err := b.Put(t.Context(), "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, ".filebucket", "tmp")
	fresh, stale := filepath.Join(tmp, "fresh"), filepath.Join(tmp, "stale")
	for _, name := range []string{fresh, stale} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(stale, past, past); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir)
	for _, prefix := range []string{"", ".", ".filebucket", ".filebucket/", ".filebucket/tmp/"} {
		objects, err := b.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if o.Key != "k" {
				t.Errorf("List(%q) shows %s", prefix, o.Key)
			}
		}
	}
	if _, _, err := b.Get(t.Context(), ".filebucket/tmp/fresh"); err == nil {
		t.Error("a temporary file can be read as an object")
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("Open left a stale temporary file: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("Open removed a temporary file that may be in use: %v", err)
	}
}

func TestPutsLeaveNoTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	etag, err := b.PutIfAbsent(t.Context(), "k", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.PutIfAbsent(t.Context(), "k", []byte("2"))
	wantError(t, err)
	_, err = b.PutIfMatch(t.Context(), "k", []byte("2"), "other")
	wantError(t, err)
	if _, err = b.PutIfMatch(t.Context(), "k", []byte("2"), etag); err != nil {
		t.Fatal(err)
	}
	_, err = b.Put(t.Context(), "k/below", []byte("2"))
	wantError(t, err)
	if !strings.Contains(err.Error(), "one key is the directory of another") {
		t.Errorf("unclear error: %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, ".filebucket", "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("%d temporary files are left", len(entries))
	}
}

func wantError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("the write succeeded")
	}
}

// A file that was edited behind the bucket's back has another ETag, though the
// noted one is still attached to it.
func TestETagFollowsForeignEdits(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	etag, err := b.Put(t.Context(), "k", []byte("ours"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "k")
	if err := os.WriteFile(name, []byte("edit"), 0o600); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Hour) // the clock of a file system may be coarse
	if err := os.Chtimes(name, future, future); err != nil {
		t.Fatal(err)
	}
	attrs, err := b.Head(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if attrs.ETag == etag {
		t.Error("Head returned the ETag of the content before the edit")
	}
}
