package bucket_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
)

// plain hides what a driver offers beyond Driver.
type plain struct{ bucket.Driver }

func TestFilesOnAPlainDriver(t *testing.T) {
	files, err := filebucket.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := bucket.New(plain{files.Driver()})
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"content", ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key := "k" + content
		if _, err := b.PutFileIfAbsent(t.Context(), key, path); err != nil {
			t.Fatal(err)
		}
		if got, _, err := b.Get(t.Context(), key); err != nil || string(got) != content {
			t.Errorf("stored %q, %v", got, err)
		}
		if _, err := b.PutFileIfAbsent(t.Context(), key, path); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("over an object: %v", err)
		}
	}
	if path, ok, err := b.Path("k"); path != "" || ok || err != nil {
		t.Errorf("Path = %q, %v, %v", path, ok, err)
	}
}
