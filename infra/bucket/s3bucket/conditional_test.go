package s3bucket

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/anabranch/anabranch/infra/bucket"
)

// flaky spoils the answers of the first PUTs.
type flaky struct {
	next    http.Handler
	puts    atomic.Int64
	spoil   int64                                        // how many
	answers func(w http.ResponseWriter, r *http.Request) // instead of next's
	applies bool                                         // next sees spoiled requests too
	after   func()                                       // runs once a spoiled request was applied
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || f.puts.Add(1) > f.spoil {
		f.next.ServeHTTP(w, r)
		return
	}
	if f.applies {
		f.next.ServeHTTP(httptest.NewRecorder(), r)
		if f.after != nil {
			f.after()
		}
	}
	f.answers(w, r)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func answer(status int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func openFlaky(t *testing.T, f *flaky) *bucket.Bucket {
	t.Helper()
	return bucket.New(mustOpen(t, serve(t, func(next http.Handler) http.Handler {
		f.next = next
		return f
	})))
}

func wantContent(t *testing.T, b *bucket.Bucket, key, want, etag string) {
	t.Helper()
	data, attrs, err := b.Get(t.Context(), key)
	if err != nil || string(data) != want || attrs.ETag != etag {
		t.Fatalf("stored %q with ETag %s, want %q with %s: %v", data, attrs.ETag, want, etag, err)
	}
}

func TestLostAnswerOfAnAppliedWriteIsSuccess(t *testing.T) {
	for name, answers := range map[string]func(http.ResponseWriter, *http.Request){
		"hang up": hangUp, "500": answer(500), "503": answer(503),
	} {
		t.Run(name, func(t *testing.T) {
			f := &flaky{spoil: 1, applies: true, answers: answers}
			b := openFlaky(t, f)
			etag, err := b.PutIfAbsent(t.Context(), "k", []byte("mine"))
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, b, "k", "mine", etag)
			f.puts.Store(0)
			etag, err = b.PutIfMatch(t.Context(), "k", []byte("next"), etag)
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, b, "k", "next", etag)
			f.puts.Store(0)
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte("of a file"), 0o600); err != nil {
				t.Fatal(err)
			}
			if etag, err = b.PutFileIfAbsent(t.Context(), "file", path); err != nil {
				t.Fatal(err)
			}
			wantContent(t, b, "file", "of a file", etag)
			if f.puts.Load() != 1 {
				t.Errorf("it was written %d times, want once: the server was asked", f.puts.Load())
			}
		})
	}
}

func TestLostAnswerAndSomebodyElsesContentIsARefusal(t *testing.T) {
	for _, theirs := range []string{"theirs", "hers", ""} {
		f := &flaky{spoil: 1, answers: hangUp}
		b := openFlaky(t, f)
		f.puts.Store(1)
		etag, err := b.Put(t.Context(), "k", []byte(theirs))
		if err != nil {
			t.Fatal(err)
		}
		f.puts.Store(0)
		if _, err := b.PutIfAbsent(t.Context(), "k", []byte("mine")); !errors.Is(err, bucket.ErrExists) {
			t.Errorf("PutIfAbsent over %q: %v, want ErrExists", theirs, err)
		}
		f.puts.Store(0)
		if _, err := b.PutIfMatch(t.Context(), "k", []byte("mine"), `"0"`); !errors.Is(err, bucket.ErrPrecondition) {
			t.Errorf("PutIfMatch over %q: %v, want ErrPrecondition", theirs, err)
		}
		wantContent(t, b, "k", theirs, etag)
	}
}

// Equal content counts as ours only after a lost answer.
func TestEqualContentWithoutALostAnswerIsARefusal(t *testing.T) {
	b := openFlaky(t, &flaky{})
	if _, err := b.Put(t.Context(), "k", []byte("same")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutIfAbsent(t.Context(), "k", []byte("same")); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("PutIfAbsent: %v, want ErrExists", err)
	}
}

// A 409 says that the write was not applied, so equal content found by the
// retry is not ours either.
func TestConflictIsRetriedAndNotAmbiguous(t *testing.T) {
	f := &flaky{spoil: 1, answers: answer(http.StatusConflict)}
	b := openFlaky(t, f)
	if _, err := b.PutIfAbsent(t.Context(), "k", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	f.puts.Store(0)
	if _, err := b.PutIfAbsent(t.Context(), "k", []byte("mine")); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("PutIfAbsent: %v, want ErrExists", err)
	}
}

func TestRetriesEnd(t *testing.T) {
	for _, status := range []int{http.StatusConflict, http.StatusServiceUnavailable} {
		f := &flaky{spoil: 100, answers: answer(status)}
		_, err := openFlaky(t, f).PutIfAbsent(t.Context(), "k", []byte("mine"))
		if err == nil || errors.Is(err, bucket.ErrExists) {
			t.Errorf("%d for ever: %v", status, err)
		}
		if n := f.puts.Load(); n < 2 || n > 10 {
			t.Errorf("%d for ever: %d requests", status, n)
		}
	}
}

func TestForbiddenIsNotRetried(t *testing.T) {
	f := &flaky{spoil: 100, answers: answer(http.StatusForbidden)}
	_, err := openFlaky(t, f).PutIfAbsent(t.Context(), "k", []byte("mine"))
	if err == nil || errors.Is(err, bucket.ErrExists) || f.puts.Load() != 1 {
		t.Errorf("%v after %d requests", err, f.puts.Load())
	}
}

// A server that ignores the conditions is found out by Check.
func TestCheckFindsAServerWithoutConditions(t *testing.T) {
	b := bucket.New(mustOpen(t, serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			r.Header.Del("If-Match")
			next.ServeHTTP(w, r)
		})
	})))
	if err := b.Check(t.Context(), "check"); err == nil {
		t.Error("Check accepted it")
	}
}
