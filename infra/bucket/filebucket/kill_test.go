package filebucket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/filebucket"
)

// childDir names the directory that a child process of this test writes to.
const childDir = "FILEBUCKET_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, "child:", writeForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// version is what the children write: a number, and bulk that depends on it.
func version(n int) []byte {
	return append(strconv.AppendInt(nil, int64(n), 10), bytes.Repeat([]byte{'\n', byte(n)}, 50_000)...)
}

func parseVersion(data []byte) (int, error) {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	n, err := strconv.Atoi(string(head))
	if err == nil && !bytes.Equal(data, version(n)) {
		err = fmt.Errorf("%d bytes that are not version %d", len(data), n)
	}
	return n, err
}

// writeForever counts an object up by compare-and-swap, also creates one object
// for each number, and prints each number once it is stored.
func writeForever(dir string) error {
	ctx := context.Background()
	b, err := filebucket.Open(dir)
	if err != nil {
		return err
	}
	for {
		data, attrs, err := b.Get(ctx, "counter")
		if err != nil {
			return err
		}
		n, err := parseVersion(data)
		if err != nil {
			return err
		}
		_, err = b.PutIfMatch(ctx, "counter", version(n+1), attrs.ETag)
		if errors.Is(err, bucket.ErrPrecondition) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := b.PutIfAbsent(ctx, fmt.Sprintf("new/%d/object", n+1), version(n+1)); err != nil {
			return err
		}
		fmt.Println(n + 1)
	}
}

// TestKilledWriters kills processes that share a bucket while they write. What
// they reported as stored stays; nothing is half-written; no lock stays held.
func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if _, err := b.Put(t.Context(), "counter", version(0)); err != nil {
		t.Fatal(err)
	}
	reported := 0
	for round := range 6 {
		kills := []<-chan int{startAndKill(t, dir, 3+round), startAndKill(t, dir, 2+2*round)}
		for _, last := range kills {
			reported = max(reported, <-last)
		}
		checkCounter(t, b, reported)
	}
	if _, err := b.Put(t.Context(), "counter", version(1)); err != nil {
		t.Fatal("after the kills:", err)
	}
}

// startAndKill kills a child as soon as it has reported some writes, that is
// at an arbitrary point of the next one. The channel gives the last report.
func startAndKill(t *testing.T, dir string, writes int) <-chan int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := make(chan int, 1)
	go func() {
		n, lines := 0, bufio.NewScanner(out)
		for i := 1; lines.Scan(); i++ {
			n, _ = strconv.Atoi(lines.Text())
			if i == writes {
				break
			}
		}
		_ = cmd.Process.Kill() // gone already: Wait and stderr tell
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); !strings.Contains(fmt.Sprint(err), "killed") {
			t.Errorf("the child ended by itself: %v: %s", err, stderr.String())
		}
		last <- n
	}()
	return last
}

// checkCounter checks that the counter reached what was reported, and that each
// object is whole.
func checkCounter(t *testing.T, b *bucket.Bucket, reported int) {
	t.Helper()
	objects, err := b.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		data, _, err := b.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		n, err := parseVersion(data)
		if err != nil {
			t.Errorf("%s: %v", o.Key, err)
		}
		if o.Key == "counter" && n < reported {
			t.Errorf("the counter is %d, a process had reported %d as stored", n, reported)
		}
	}
	if reported > 0 {
		if _, err := b.Head(t.Context(), fmt.Sprintf("new/%d/object", reported)); err != nil {
			t.Error("an object was reported as stored:", err)
		}
	}
}
