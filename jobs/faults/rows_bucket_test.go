//go:build integration

package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/proxy"
)

// throughEndpoint lets the row's processes reach the gateway at another address.
func (w *world) throughEndpoint(endpoint string) error {
	u, err := url.Parse(w.bucketURL)
	if err != nil {
		return fmt.Errorf("parse the bucket's address: %w", err)
	}
	q := u.Query()
	q.Set("endpoint", endpoint)
	u.RawQuery = q.Encode()
	w.bucketURL = u.String()
	return nil
}

// putCut cuts the archiver's uploads, and the answers to them, in the middle.
func putCut(ctx context.Context, w *world) error {
	p, err := w.behindProxy(w.s3.Addr)
	if err != nil {
		return err
	}
	if err := w.throughEndpoint("http://" + p.Addr()); err != nil {
		return err
	}
	return underLoad(func(ctx context.Context, w *world, _, _ *process) error {
		for range 12 {
			way, left := proxy.ToServer, w.rng.Int64N(30_000)
			if w.rng.IntN(3) == 0 {
				way, left = proxy.ToClient, w.rng.Int64N(3000)
			}
			cut := p.CutAfterBytes(left, way)
			if err := await(ctx, "a transfer is cut", func() (bool, error) { return closed(cut), nil }); err != nil {
				return err
			}
		}
		return nil
	})(ctx, w)
}

// moody is a gateway in front of the gateway that refuses some of what is put, before or after it was done.
type moody struct {
	mu    sync.Mutex
	rng   *rand.Rand
	inner http.Handler
	calm  atomic.Bool
	said  [4]atomic.Int64
}

// ServeHTTP implements http.Handler.
func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	mood := m.rng.IntN(16)
	m.mu.Unlock()
	if m.calm.Load() || r.Method != http.MethodPut && mood > 0 || mood > 3 {
		m.inner.ServeHTTP(w, r)
		return
	}
	m.said[mood].Add(1)
	switch mood {
	case 0: // not done
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	case 1: // another writer is at it: S3 asks to try again
		refuse(w, http.StatusConflict, "ConditionalRequestConflict")
	case 2: // done, and nobody knows
		m.inner.ServeHTTP(httptest.NewRecorder(), r)
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
	case 3: // done, and sent once more by something on the way
		m.inner.ServeHTTP(httptest.NewRecorder(), r)
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
}

// s3Moods puts a moody gateway before the archiver.
func s3Moods(ctx context.Context, w *world) error {
	target, err := url.Parse("http://" + w.s3.Addr)
	if err != nil {
		return fmt.Errorf("parse the gateway's address: %w", err)
	}
	m := &moody{rng: rand.New(rand.NewPCG(w.seed, 23)), inner: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}}}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the moody gateway: %w", err)
	}
	server := &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	w.stops = append(w.stops, func() error {
		err := server.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	if err := w.throughEndpoint("http://" + l.Addr().String()); err != nil {
		return err
	}
	return underLoad(func(ctx context.Context, _ *world, _, _ *process) error {
		// Every mood, more than once.
		return await(ctx, "the gateway has said everything", func() (bool, error) {
			for i := range m.said {
				if m.said[i].Load() < 2 {
					return false, nil
				}
			}
			m.calm.Store(true) // marks of the last step go through it as well
			return true, nil
		})
	})(ctx, w)
}

// diskFull archives into a folder on a disk that is full for a while. Where no file system can be mounted, the process's
// files are limited instead, and it is started again without the limit.
func diskFull(ctx context.Context, w *world) error {
	folder := filepath.Join(w.dir, "disk")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	mounted := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=4m") == nil
	if mounted {
		w.stops = append(w.stops, func() error { return syscall.Unmount(folder, 0) })
	}
	w.bucketURL = folder
	var err error
	if w.bucket, err = openBucket(ctx, folder); err != nil {
		return err
	}
	if !mounted {
		return w.filesLimited(ctx)
	}
	return underLoad(func(ctx context.Context, w *world, _, a *process) error {
		if err := w.awaitSome(ctx, 600); err != nil {
			return err
		}
		ballast := filepath.Join(folder, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o644); !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill the disk: %w", err)
		}
		if err := a.awaitLog(ctx, "no space left"); err != nil {
			return err
		}
		if err := w.awaitSome(ctx, 2000); err != nil {
			return err
		}
		return os.Remove(ballast)
	})(ctx, w)
}

func (w *world) filesLimited(ctx context.Context) error {
	if err := w.createTopics(ctx, nil); err != nil {
		return err
	}
	c := w.child(roleArchive)
	c.FileMax = 2000
	a, err := w.spawn(c)
	if err != nil {
		return err
	}
	if err := w.sendOrdinary(ctx, w.newShop(), 2000); err != nil {
		return err
	}
	if err := a.awaitLog(ctx, "too large"); err != nil {
		return err
	}
	a.kill()
	if _, _, err := w.pair(); err != nil {
		return err
	}
	return w.settle(ctx)
}
