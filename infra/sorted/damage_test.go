package sorted_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/sorted"
)

// survey reads a damaged table in every way. Whatever answers without an error has to be right. It
// returns how many errors there were.
func survey(t *testing.T, data []byte, rows map[string]string) (failed int) {
	t.Helper()
	r, err := sorted.OpenBytes(data, "views/user.table")
	if err != nil {
		mustName(t, err)
		return 1
	}
	for key, want := range rows {
		value, found, err := r.Get([]byte(key))
		if err != nil {
			mustName(t, err)
			failed++
		} else if !found || string(value) != want {
			t.Fatalf("wrong answer for %s: %q, %t", key, value, found)
		}
		absent := key + "x"
		if _, found, err = r.Get([]byte(absent)); err != nil {
			failed++
		} else if found {
			t.Fatalf("%s was found", absent)
		}
	}
	n, it := int64(0), r.Iter()
	for ; it.Next(); n++ {
		if rows[string(it.Key())] != string(it.Value()) {
			t.Fatalf("wrong value of %s while iterating", it.Key())
		}
	}
	if err := it.Err(); err != nil {
		mustName(t, err)
		failed++
	} else if n != int64(len(rows)) {
		t.Fatalf("iterated %d of %d rows without an error", n, len(rows))
	}
	return failed
}

func mustName(t *testing.T, err error) {
	t.Helper()
	if !strings.Contains(err.Error(), "views/user.table") {
		t.Fatalf("the error does not name the file: %v", err)
	}
}

// TestEveryFlippedByte changes each byte of a table in turn. Only the padding, of which nothing depends, may go unnoticed.
func TestEveryFlippedByte(t *testing.T) {
	rows := someRows(60)
	good := write(t, rows, 700)
	if n := survey(t, good, rows); n != 0 {
		t.Fatalf("%d errors before any damage", n)
	}
	unnoticed := 0
	for i := range good {
		for _, mask := range []byte{1, 0x80, 0xff} {
			bad := slices.Clone(good)
			bad[i] ^= mask
			if survey(t, bad, rows) == 0 {
				if good[i] != 0 {
					t.Fatalf("byte %d of %d changed by %#x: nobody noticed", i, len(good), mask)
				}
				unnoticed++
			}
		}
	}
	// 56 bytes after the magic, and up to 63 after the rows of each segment.
	segments := len(good)/700 + 1
	if limit := 3 * (56 + 63*segments); unnoticed > limit {
		t.Errorf("%d flips unnoticed, padding explains at most %d", unnoticed, limit)
	}
}

func TestTruncated(t *testing.T) {
	rows := someRows(60)
	good := write(t, rows, 700)
	for n := range good {
		if _, err := sorted.OpenBytes(good[:n:n], "views/user.table"); !errors.Is(err, sorted.ErrDamaged) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(good), err)
		}
	}
}

// TestMisplaced puts intact parts of the file to where others belong, as a disk may.
func TestMisplaced(t *testing.T) {
	rows := someRows(400)
	good := write(t, rows, 4096)
	for _, size := range []int{64, 128, 512} {
		for from := 64; from+2*size < len(good); from += 3 * size {
			bad := slices.Clone(good)
			copy(bad[from:from+size], good[from+size:from+2*size])
			if survey(t, bad, rows) == 0 && !slices.Equal(bad, good) {
				t.Fatalf("%d bytes moved to %d: nobody noticed", size, from)
			}
		}
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	good := write(t, someRows(3), 0)
	newer := slices.Clone(good)
	newer[7]++
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"text":          {[]byte(strings.Repeat("user_id,item_id\n", 50)), "does not begin as a sorted table"},
		"zeros":         {make([]byte, 4096), "does not begin as a sorted table"},
		"newer version": {newer, "version 2, this build reads version 1"},
		"two tables":    {append(slices.Clone(good), good...), "checksum of its last 64 bytes"},
	} {
		_, err := sorted.OpenBytes(c.data, "f")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// TestTableWithoutRows is a table like any other.
func TestTableWithoutRows(t *testing.T) {
	r := open(t, write(t, nil, 0))
	_, found, err := r.Get([]byte("a"))
	it := r.Iter()
	it.Seek([]byte("a"))
	if found || err != nil || r.Rows() != 0 || it.Next() || it.Err() != nil {
		t.Errorf("found %t, %v, %d rows, iterator %v", found, err, r.Rows(), it.Err())
	}
}

// TestFileCutWhileMapped cuts an open file off, which makes the system answer accesses by a signal.
func TestFileCutWhileMapped(t *testing.T) {
	rows := someRows(2000)
	path := filepath.Join(t.TempDir(), "views", "user.table")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, write(t, rows, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := sorted.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(path, 64<<10); err != nil {
		t.Skip("this system does not cut off mapped files: ", err)
	}
	var good, failed int
	for key, want := range rows {
		value, found, err := r.Get([]byte(key))
		if err != nil {
			mustName(t, err)
			failed++
			continue
		}
		if !found || string(value) != want {
			t.Fatalf("wrong answer for %s", key)
		}
		good++
	}
	it := r.Iter()
	for it.Next() {
		continue
	}
	if good == 0 || failed == 0 || !errors.Is(it.Err(), sorted.ErrDamaged) {
		t.Errorf("%d good, %d failed, iterator %v", good, failed, it.Err())
	}
}
