package s3bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/anabranch/anabranch/infra/bucket"
	"github.com/anabranch/anabranch/infra/bucket/buckettest"
)

// serve runs gofakes3 with one empty bucket; through wraps its handler.
func serve(t *testing.T, through func(http.Handler) http.Handler) Options {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("test"); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	if through != nil {
		handler = through(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts, err := ParseURL("s3://test/some/prefix?region=us-east-1&path_style=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	opts.Credentials = credentials.NewStaticCredentialsProvider("key", "secret", "")
	return opts
}

func mustOpen(t *testing.T, opts Options) *driver {
	t.Helper()
	d, err := open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	d.retry = quick{d.retry}
	return d
}

// quick retries without delay.
type quick struct{ retryer }

func (quick) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

func TestConformanceOnFake(t *testing.T) {
	buckettest.Run(t, buckettest.Harness{
		New: func(t *testing.T) func() *bucket.Bucket {
			opts := serve(t, nil)
			return func() *bucket.Bucket { return bucket.New(mustOpen(t, opts)) }
		},
	})
}

func TestConformanceOnServer(t *testing.T) {
	opts := realServer(t)
	buckettest.Run(t, buckettest.Harness{
		New: func(t *testing.T) func() *bucket.Bucket {
			opts := scratch(t, opts)
			return func() *bucket.Bucket { return bucket.New(mustOpen(t, opts)) }
		},
	})
}

// realServer skips the test where there is none.
func realServer(t *testing.T) Options {
	t.Helper()
	raw := os.Getenv("ANABRANCH_TEST_S3")
	if raw == "" {
		t.Skip("no real S3 server: ANABRANCH_TEST_S3 is set by make integration " +
			"(an s3:// URL with endpoint=…; credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
	}
	opts, err := ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

// scratch adds a fresh prefix whose objects are deleted after the test.
func scratch(t *testing.T, opts Options) Options {
	t.Helper()
	opts.Prefix += "/test-" + strings.ToLower(rand.Text())
	t.Cleanup(func() { deleteAll(t, bucket.New(mustOpen(t, opts))) })
	return opts
}

func deleteAll(t *testing.T, b *bucket.Bucket) {
	ctx := context.Background() // the test's is done when this runs
	objects, err := b.List(ctx, "")
	if err != nil {
		t.Error(err)
	}
	for _, o := range objects {
		if err := b.Delete(ctx, o.Key); err != nil {
			t.Error(err)
		}
	}
}

func TestLargeUnconditionalPutsAreMultipart(t *testing.T) {
	var initiated atomic.Int64
	opts := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Query().Has("uploads") {
				initiated.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	})
	// gofakes3 answers a multipart upload with one ETag and stores another.
	putLarge(t, opts)
	if n := initiated.Load(); n != 1 {
		t.Fatalf("%d multipart uploads, want 1 (of the unconditional write only)", n)
	}
}

func TestLargePutsOnServer(t *testing.T) {
	if put, stored := putLarge(t, scratch(t, realServer(t))); put != stored {
		t.Errorf("Put returned the ETag %s, the object has %s", put, stored)
	}
}

// putLarge stores an object of two parts, reads it back, and replaces it under
// a condition. It returns the ETags that Put answered and that Get found.
func putLarge(t *testing.T, opts Options) (put, stored string) {
	t.Helper()
	d := mustOpen(t, opts)
	d.multipartAbove = partSize
	b := bucket.New(d)
	data := make([]byte, partSize+12345)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	put, err := b.Put(t.Context(), "large", data)
	if err != nil {
		t.Fatal(err)
	}
	got, attrs, err := b.Get(t.Context(), "large")
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("read back %d of %d bytes: %v", len(got), len(data), err)
	}
	if _, err := b.PutIfMatch(t.Context(), "large", data, attrs.ETag); err != nil {
		t.Fatal(err)
	}
	return put, attrs.ETag
}

func TestKeysBelowThePrefix(t *testing.T) {
	opts := serve(t, nil)
	d := mustOpen(t, opts)
	if _, err := bucket.New(d).Put(t.Context(), "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	name := "some/prefix/k"
	if _, err := d.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &d.bucket, Key: &name}); err != nil {
		t.Error(err)
	}
	long := strings.Repeat("long/", 203) + "x" // valid alone
	_, err := bucket.New(d).Put(t.Context(), long, nil)
	if !errors.Is(err, bucket.ErrInvalidKey) {
		t.Errorf("a key of %d bytes below a prefix: %v", len(long), err)
	}
}

func TestMissingBucketIsNotAMissingObject(t *testing.T) {
	opts := serve(t, nil)
	opts.Bucket = "other"
	_, _, err := bucket.New(mustOpen(t, opts)).Get(t.Context(), "k")
	if err == nil || errors.Is(err, bucket.ErrNotExist) || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("error %v, want one that says NoSuchBucket", err)
	}
}

func TestParseURL(t *testing.T) {
	opts, err := ParseURL("s3://b/a/b?endpoint=http://127.0.0.1:9000&region=eu-north-1&path_style=true")
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Bucket: "b", Prefix: "a/b", Endpoint: "http://127.0.0.1:9000", Region: "eu-north-1", PathStyle: true}
	if got, want := fmt.Sprint(opts), fmt.Sprint(want); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for raw, part := range map[string]string{
		"http://b/":                 "s3://",
		"s3:///prefix":              "names no bucket",
		"s3://user:pw@b/":           "credentials",
		"s3://b/?regoin=x":          "regoin",
		"s3://b/?region=x&region=y": "2 times",
		"s3://b/?path_style=maybe":  "path_style",
		"s3://b/?endpoint=host:1":   "endpoint",
		"s3://b/#frag":              "fragment",
	} {
		if _, err := ParseURL(raw); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("ParseURL(%q): error %v, want one with %q", raw, err, part)
		}
	}
}

// TestFilesTooLargeForOneRequest stores a file in parts.
func TestFilesTooLargeForOneRequest(t *testing.T) { putLargeFile(t, serve(t, nil)) }

func TestFilesTooLargeForOneRequestOnServer(t *testing.T) {
	putLargeFile(t, scratch(t, realServer(t)))
}

func putLargeFile(t *testing.T, opts Options) {
	t.Helper()
	d := mustOpen(t, opts)
	d.singleAtMost = partSize
	b := bucket.New(d)
	data := make([]byte, 2*partSize+12345)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutFileIfAbsent(t.Context(), "large", path); err != nil {
		t.Fatal(err)
	}
	if got, _, err := b.Get(t.Context(), "large"); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("read back %d of %d bytes: %v", len(got), len(data), err)
	}
	if _, err := b.PutFileIfAbsent(t.Context(), "large", path); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("over an object: %v, want ErrExists", err)
	}
}
