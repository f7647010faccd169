package s3bucket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
)

// reset answers nothing: it breaks the connection in the middle of the body, as a server does that refuses
// without reading on.
func reset(w http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // the test's own server
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// large is content whose upload takes more than the buffers of a connection.
func large(c byte) []byte { return bytes.Repeat([]byte{c}, 24<<20) }

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// store writes an object past the driver.
func store(server http.Handler, url string, data []byte) {
	r := httptest.NewRequest(http.MethodPut, url, bytes.NewReader(data))
	r.Header.Set("Content-Length", strconv.Itoa(len(data))) // which the fake wants to see
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		panic(w.Body.String()) // ends the request, and with it the test
	}
}

// race is a server at which somebody else stores theirs while our first write is under way. Every write
// after that is refused by a broken connection.
func race(theirs []byte) *flaky {
	f := &flaky{spoil: 1 << 60}
	stored := false // writes come one after the other
	f.answers = func(w http.ResponseWriter, r *http.Request) {
		if !stored {
			stored = true
			store(f.next, r.URL.String(), theirs)
		}
		reset(w, r)
	}
	return f
}

func TestRefusalByABrokenConnection(t *testing.T) {
	for name, theirs := range map[string][]byte{"longer": large('t'), "same size": large('t')[:4<<20], "shorter": []byte("theirs"), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			ours := large('o')[:4<<20]
			for call, write := range map[string]func(*bucket.Bucket) error{
				"PutIfAbsent": func(b *bucket.Bucket) error {
					_, err := b.PutIfAbsent(t.Context(), "k", ours)
					return err
				},
				"PutFileIfAbsent": func(b *bucket.Bucket) error {
					_, err := b.PutFileIfAbsent(t.Context(), "k", file(t, ours))
					return err
				},
			} {
				f := race(theirs)
				b := openFlaky(t, f)
				if err := write(b); !errors.Is(err, bucket.ErrExists) {
					t.Errorf("%s: %v, want ErrExists", call, err)
				}
				if f.puts.Load() != 1 {
					t.Errorf("%s: the content was sent %d times, want once", call, f.puts.Load())
				}
				if data, _, err := b.Get(t.Context(), "k"); err != nil || !bytes.Equal(data, theirs) {
					t.Errorf("%s: %d bytes are stored, want theirs: %v", call, len(data), err)
				}
			}
		})
	}
}

func TestPutIfMatchRefusedByABrokenConnection(t *testing.T) {
	f := race(large('t'))
	b := openFlaky(t, f)
	f.puts.Store(f.spoil) // not this one
	etag, err := b.Put(t.Context(), "k", []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	f.puts.Store(0)
	if _, err := b.PutIfMatch(t.Context(), "k", large('o'), etag); !errors.Is(err, bucket.ErrPrecondition) {
		t.Errorf("%v, want ErrPrecondition", err)
	}
	if f.puts.Load() != 1 {
		t.Errorf("the content was sent %d times, want once", f.puts.Load())
	}
}

// TestWriteWhoseAnswerBrokeOff: the server stored all of it and then broke the connection.
func TestWriteWhoseAnswerBrokeOff(t *testing.T) {
	f := &flaky{spoil: 1, applies: true, answers: reset}
	b, ours := openFlaky(t, f), large('o')
	etag, err := b.PutFileIfAbsent(t.Context(), "k", file(t, ours))
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, "k", string(ours), etag)
	if f.puts.Load() != 1 {
		t.Errorf("the content was sent %d times, want once", f.puts.Load())
	}
}

// TestBrokenConnectionsWithoutAnObject: nobody has stored the key, so each is tried again, but not for ever.
func TestBrokenConnectionsWithoutAnObject(t *testing.T) {
	f := &flaky{spoil: 1, answers: reset}
	b, ours := openFlaky(t, f), large('o')
	etag, err := b.PutFileIfAbsent(t.Context(), "k", file(t, ours))
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, "k", string(ours), etag)
	f.spoil = 1 << 60
	f.puts.Store(0)
	if _, err := b.PutFileIfAbsent(t.Context(), "other", file(t, ours)); err == nil || errors.Is(err, bucket.ErrExists) {
		t.Errorf("after nothing but broken connections: %v", err)
	}
	if n := f.puts.Load(); n < 2 || n > 10 {
		t.Errorf("the content was sent %d times", n)
	}
}

// TestWriteThatArrivesAfterTheQuestion: the server was still at our first write when it said that there is
// no object. The retry is refused, and the content is ours.
func TestWriteThatArrivesAfterTheQuestion(t *testing.T) {
	var first []byte
	b := bucket.New(mustOpen(t, serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && first == nil {
				var err error
				if first, err = io.ReadAll(r.Body); err != nil {
					t.Error(err)
				}
				hangUp(w, r)
			}
			next.ServeHTTP(w, r)
			if r.Method == http.MethodHead {
				store(next, r.URL.String(), first)
			}
		})
	})))
	etag, err := b.PutIfAbsent(t.Context(), "k", []byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, b, "k", "mine", etag)
}

// TestNoAnswerToTheQuestion: whether it was written is unknown, and the error says why.
func TestNoAnswerToTheQuestion(t *testing.T) {
	var heads atomic.Int64
	b := bucket.New(mustOpen(t, serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodPut:
				hangUp(w, r)
			case http.MethodHead:
				heads.Add(1)
				w.WriteHeader(http.StatusForbidden)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})))
	_, err := b.PutIfAbsent(t.Context(), "k", []byte("mine"))
	if err == nil || errors.Is(err, bucket.ErrExists) || heads.Load() != 1 {
		t.Fatalf("%v after %d questions", err, heads.Load())
	}
	for _, part := range []string{"EOF", "ask what became of it", "403"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}
